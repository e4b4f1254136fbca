"""The plain way: web3.py's get_logs in chunks, SQLAlchemy's inserts.

`python -m bench.plain NODE_URL DATABASE_URL ADDRESS FIRST LAST` prints the seconds of work, and of CPU.
"""

import functools
import json
import sys
import time
from datetime import UTC, datetime

import sqlalchemy as sa
from web3 import Web3

from bench.node import ARTIFACTS

BLOCKS = 500
METADATA = sa.MetaData()
TRANSFERS = sa.Table(
    "token_transfer",
    METADATA,
    sa.Column("block_number", sa.BigInteger(), primary_key=True),
    sa.Column("tx_index", sa.Integer(), primary_key=True),
    sa.Column("log_index", sa.Integer(), primary_key=True),
    sa.Column("block_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("tx_hash", sa.Text(), nullable=False),
    sa.Column("address", sa.Text(), nullable=False),
    sa.Column("from", sa.Text(), nullable=False),
    sa.Column("to", sa.Text(), nullable=False),
    sa.Column("value", sa.Numeric(78, 0), nullable=False),
)


def main(node: str, database: str, address: str, first: int, last: int) -> tuple[float, float]:
    """Seconds from the first request to the last commit, and this process's CPU seconds meanwhile."""
    web3 = Web3(Web3.HTTPProvider(node))
    abi = json.loads((ARTIFACTS / "Burst.json").read_text())["abi"]
    contract = web3.eth.contract(address=web3.to_checksum_address(address), abi=abi)
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    METADATA.create_all(engine)

    @functools.cache
    def block_time(number: int) -> datetime:
        return datetime.fromtimestamp(web3.eth.get_block(number)["timestamp"], UTC)

    began, began_cpu = time.monotonic(), time.process_time()
    for start in range(first, last + 1, BLOCKS):
        end = min(last, start + BLOCKS - 1)
        rows = [
            {
                "block_number": event["blockNumber"],
                "tx_index": event["transactionIndex"],
                "log_index": event["logIndex"],
                "block_time": block_time(event["blockNumber"]),
                "tx_hash": event["transactionHash"].to_0x_hex(),
                "address": event["address"].lower(),
                "from": event["args"]["from"].lower(),
                "to": event["args"]["to"].lower(),
                "value": event["args"]["value"],
            }
            for event in contract.events.Transfer().get_logs(from_block=start, to_block=end)
        ]
        with engine.begin() as connection:
            connection.execute(sa.insert(TRANSFERS), rows)
    return time.monotonic() - began, time.process_time() - began_cpu


if __name__ == "__main__":
    print(*main(*sys.argv[1:4], *map(int, sys.argv[4:6])))
