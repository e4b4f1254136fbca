"""The limit: the same rows by a bare script that promises nothing, to compare with.

No check of any answer, no reorganisation, no restart, no other contract, one transaction at the end.
`python -m bench.bare NODE_URL DATABASE_URL ADDRESS FIRST LAST` prints the seconds of work, and of CPU.
"""

import collections
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import psycopg
import urllib3

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TABLE = """CREATE SCHEMA event; CREATE TABLE event.token_transfer (
    block_number bigint NOT NULL, tx_index integer NOT NULL, log_index integer NOT NULL,
    block_time timestamptz NOT NULL, tx_hash text NOT NULL, address text NOT NULL,
    "from" text NOT NULL, "to" text NOT NULL, value numeric(78, 0) NOT NULL,
    PRIMARY KEY (block_number, tx_index, log_index))"""
BLOCKS = 100
IN_FLIGHT = 3


class Log(msgspec.Struct, rename="camel", gc=False):
    address: str
    topics: list[str]
    data: str
    block_number: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    block_timestamp: str


class Answer(msgspec.Struct):
    result: list[Log]


def fetch(http: urllib3.HTTPConnectionPool, address: str, first: int, last: int) -> str:
    """The COPY text of these blocks."""
    wanted = {"address": address, "topics": [TRANSFER], "fromBlock": hex(first), "toBlock": hex(last)}
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [wanted]}
    answer = http.request(
        "POST", "/", body=msgspec.json.encode(call), headers={"content-type": "application/json"}
    )
    times: dict[str, str] = {}
    lines = []
    for log in msgspec.json.decode(answer.data, type=Answer).result:
        seconds = log.block_timestamp
        moment = times.get(seconds)
        if moment is None:
            moment = times[seconds] = str(datetime.fromtimestamp(int(seconds, 16), UTC))
        _, sender, receiver = log.topics
        place = f"{int(log.block_number, 16)}\t{int(log.transaction_index, 16)}\t{int(log.log_index, 16)}"
        lines.append(
            f"{place}\t{moment}\t{log.transaction_hash}\t{log.address}\t"
            f"0x{sender[26:]}\t0x{receiver[26:]}\t{int(log.data, 16)}\n"
        )
    return "".join(lines)


def main(node: str, database: str, address: str, first: int, last: int) -> tuple[float, float]:
    """Seconds from the first request to the commit, and this process's CPU seconds meanwhile."""
    http = urllib3.connection_from_url(node, maxsize=IN_FLIGHT)
    with psycopg.connect(database) as connection, ThreadPoolExecutor(IN_FLIGHT) as pool:
        connection.execute(TABLE)
        connection.commit()
        began, began_cpu = time.monotonic(), time.process_time()
        with connection.cursor().copy("COPY event.token_transfer FROM STDIN") as copy:
            waiting: collections.deque[Future[str]] = collections.deque()
            for start in range(first, last + 1, BLOCKS):
                waiting.append(pool.submit(fetch, http, address, start, min(last, start + BLOCKS - 1)))
                if len(waiting) > IN_FLIGHT:
                    copy.write(waiting.popleft().result())
            for future in waiting:
                copy.write(future.result())
        connection.commit()
        return time.monotonic() - began, time.process_time() - began_cpu


if __name__ == "__main__":
    print(*main(*sys.argv[1:4], *map(int, sys.argv[4:6])))
