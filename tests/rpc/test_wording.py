# ruff: noqa: E501 (the wordings as nodes write them)
"""Every known wording falls into its class; limits and suggestions are read or, where wrong, ignored."""

import pytest
from chainfirst.indexer.rpc import errors, wording
from chainfirst.indexer.rpc.errors import Kind

RANGE, RESULTS, RATE, LAG = Kind.RANGE_TOO_LARGE, Kind.TOO_MANY_RESULTS, Kind.RATE_LIMIT, Kind.LAG
UNKNOWN_BLOCK, PRUNED, TAG, NOT_FINAL = (
    Kind.BLOCK_UNKNOWN,
    Kind.PRUNED,
    Kind.TAG_UNSUPPORTED,
    Kind.NOT_YET_FINAL,
)
ALCHEMY = (
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the "
    "response size, or you can request any block range with a cap of 10K logs in the response. Based on your "
    "parameters and the response size limit, this block range should work: [0x10, 0x1f]"
)
ALCHEMY_FREE = (
    "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range "
    "should work: [0x123c9b2, 0x123cba5]"
)
CLOUDFLARE = "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800"
THIRDWEB = "Log response size exceeded. Maximum allowed number of requested blocks is 1000"
NETHERMIND = (
    "Block range 50000 exceeds the maximum of 10000 blocks per logs request. Use a narrower fromBlock/toBlock range "
    "or increase Receipt.MaxBlockDepth."
)
MORPH = "block range is larger than max block range, block range = 5120, max block range = 5000"

# text, code, HTTP status, class, the limit in blocks that the text names
CASES: list[tuple[str, int, int, Kind, int | None]] = [
    (ALCHEMY, -32602, 200, RESULTS, 2000),
    (ALCHEMY_FREE, -32600, 200, RANGE, 500),
    ("Log response size exceeded. Please reduce query block range.", -32602, 200, RESULTS, None),
    ("query returned more than 10000 results. Try with this block range [0x1, 0x2].", -32005, 200, RESULTS, None),
    ("query timeout exceeded", -32005, 200, Kind.TIMEOUT, None),
    ("range 1000000 exceeds limit of 10000", -32602, 200, RANGE, 10000),
    ("This query contains 6000 filters. The current limit is 5000.", 0, 200, Kind.TOO_MANY_ADDRESSES, None),
    ("eth_getLogs is limited to a 10,000 range", -32614, 413, RANGE, 10000),
    ("eth_getLogs is limited to a 10,000 blocks range", -32602, 200, RANGE, 10000),
    ("", -32614, 200, RANGE, None),
    ("", 0, 413, RESULTS, None),
    ("block range is too wide (3000)", -32600, 200, RANGE, None),
    ("maximum [from, to] blocks distance: 10000", 0, 200, RANGE, 10000),
    ("Block range limit exceeded.", 0, 200, RANGE, None),
    ("request timed out", -32002, 200, Kind.TIMEOUT, None),
    (CLOUDFLARE, -32047, 200, RANGE, 800),
    ('invalid params {"payload": "range 9009594 is bigger than range limit 2000"}', -32602, 200, RANGE, 2000),
    (THIRDWEB, 0, 200, RANGE, 1000),
    ("eth_getLogs is limited to a 1000 blocks range", 0, 200, RANGE, 1000),
    ("response size should not greater than 10000000 bytes", 0, 200, RESULTS, None),
    ("exceeds the range allowed for your plan (5000 > 3000)", 0, 200, RANGE, 3000),
    ("eth_getLogs is limited to 1024 block range", 0, 200, RANGE, 1024),
    ("please limit the query to at most 1000 blocks", 0, 200, RANGE, 1000),
    ("exceed maximum block range: 50000", -32701, 200, RANGE, 50000),
    ("exceed maximum block range: 5000", -32000, 200, RANGE, 5000),
    ("limit exceeded", -32005, 200, RATE, None),
    ("eth_getLogs block range too large, range: 138001, max: 100000", -32005, 200, RANGE, 100000),
    ("block range too large (2000)", 0, 200, RANGE, None),
    ("no backend is currently healthy to serve traffic", 0, 200, Kind.TIMEOUT, None),
    ("Block range is too large", 0, 200, RANGE, None),
    ("backend response too large", 0, 200, RESULTS, None),
    ("logs matched by query exceeds limit of 10000", 0, 200, RESULTS, None),
    ("query returned more than 20000 results", 0, 200, RESULTS, None),
    ("block range too large, max range: 1000", -32005, 200, RANGE, 1000),
    ("query exceeds max results 20000, retry with the range 100-120", -32602, 200, RESULTS, None),
    ("query exceeds max block range 100000", -32602, 200, RANGE, 100000),
    ("invalid block range params", -32602, 200, RANGE, None),
    ("Response is too big Exceeded max limit of 167772160", -32008, 200, RESULTS, None),
    ("query block range exceeds server limit, narrow your filter: 1000", -32000, 200, RANGE, 1000),
    ("query returns too many logs, narrow your filter: 20000", -32000, 200, RESULTS, None),
    ("query exceeds the maximum of 1000 addresses or topics per search position", -32602, 200,
     Kind.TOO_MANY_ADDRESSES, None),
    ("exceed max addresses or topics per search position", -32602, 200, Kind.TOO_MANY_ADDRESSES, None),
    ("exceed max topics", -32602, 200, Kind.TOO_MANY_ADDRESSES, None),
    ("exceed maximum block range: 1000", -32602, 200, RANGE, 1000),
    ("response too large", -32003, 200, RESULTS, None),
    (NETHERMIND, -32602, 200, RANGE, 10000),
    ("Requested range exceeds maximum RPC range limit", -32005, 200, RANGE, None),
    ("block range too high", -32600, 200, RANGE, None),
    ("block range is bigger than maxBlockRange", -32000, 200, RANGE, None),
    (MORPH, -32000, 200, RANGE, 5000),
    ("requested too many blocks from 1 to 5000, maximum is set to 2048", -32000, 200, RANGE, 2048),
    ("ranges over 10000 blocks are not supported on freetier", 0, 200, RANGE, 10000),
    ("ChainException: Unexpected error (code=40000)", 0, 200, Kind.TIMEOUT, None),
    ("too wide blocks range, the limit is 100", -32000, 200, RANGE, 100),
    ("eth_getLogs range is too large, max is 10k blocks", 0, 200, RANGE, 10000),
    ("eth_getLogs range is too large, max is 1k blocks", 0, 200, RANGE, 1000),
    ("query exceeds max block range 50", 0, 200, RANGE, 50),
    ("invalid block range", 0, 200, LAG, None),
    ("invalid block height", 0, 200, LAG, None),
    ("block range greater than 1000 max", 0, 200, RANGE, 1000),
    ("block range exceeds 1000", 0, 200, RANGE, 1000),
    ("query must be smaller than size 1024", 0, 200, RANGE, 1024),
    ("block range is too wide (maximum 1024)", 0, 200, RANGE, 1024),
    ("up to a 2000 block range", 0, 200, RANGE, 2000),
    ("exceed max block range: 5000", 0, 200, RANGE, 5000),
    ("block range too large (2000), maximum allowed is 1000 blocks", 0, 200, RANGE, 1000),
    ("Exceeded maximum block range: 100", -32000, 200, RANGE, 100),
    ("timestamps that exceed the maximum allowed duration of 7 days", -32000, 200, RANGE, None),
    ("More than 50000 logs returned", 0, 200, RESULTS, None),
    ("exceeded max allowed", 0, 200, RANGE, None),
    ("range threshold exceeded", 0, 200, RANGE, None),
    ("allowed block range threshold exceeded", 0, 200, RANGE, None),
    ("try paginating", 0, 200, RANGE, None),
    ("limit the query to", 0, 200, RANGE, None),
    ("specify less number of address", 0, 200, Kind.TOO_MANY_ADDRESSES, None),
    ("too many results", 0, 200, RESULTS, None),
    ("logs over more", 0, 200, RESULTS, None),
    ("query exceeds limit", 0, 200, RANGE, None),
    # rates, plans, keys
    ("", 0, 429, RATE, None),
    ("", 429, 200, RATE, None),
    ("Your app has exceeded its compute units per second capacity", 429, 200, RATE, None),
    ("project ID request rate exceeded", -32005, 200, RATE, None),
    ("daily request count exceeded, request rate limited", -32005, 200, RATE, None),
    ("Payment Required", 402, 402, Kind.BILLING, None),
    ("50/second request limit reached", -32007, 200, RATE, None),
    ("The requests per second (RPS) of your requests are higher than your plan allows.", 0, 200, RATE, None),
    ("", -32612, 200, Kind.METHOD_MISSING, None),
    ("error code: 1015", 0, 200, RATE, None),
    ("Rate limit exceeded", -32029, 200, RATE, None),
    ("Rate limit exceeded", -32005, 200, RATE, None),
    ("request limit exceeded", 0, 200, RATE, None),
    ("requests limited to 10", 0, 200, RATE, None),
    ("Exceeded the quota usage", 0, 200, RATE, None),
    ("node is under too much load", 0, 200, RATE, None),
    ("No server available", 0, 200, RATE, None),
    ("you reached the quota", 0, 200, RATE, None),
    ("too many requests", 0, 200, RATE, None),
    ("upgrade your tier", 0, 200, Kind.BILLING, None),
    ("you have reached the free tier limit", 0, 200, Kind.BILLING, None),
    ("Monthly capacity limit exceeded. Visit https://x/billing", 429, 429, Kind.BILLING, None),
    ("limit for your current plan", 0, 200, Kind.BILLING, None),
    ("must be authenticated", 0, 200, Kind.AUTH, None),
    ("invalid api key", 0, 200, Kind.AUTH, None),
    ("key is inactive", 0, 200, Kind.AUTH, None),
    ("Unauthorized", 0, 401, Kind.AUTH, None),
    ("not allowed to access", 0, 403, Kind.AUTH, None),
    ("sender is over rate limit", 0, 200, RATE, None),
    # lag, unknown, pruned
    ("block range extends beyond current head block", -32602, 200, LAG, None),
    ("block range extends beyond current head block: requested 100, head 90", -32602, 200, LAG, None),
    ("requested block range [5, 9] is beyond latest executed block 4 (node is still syncing)", -32000, 200, LAG, None),
    ("requested from block 9 after last accepted block 4", -32000, 200, LAG, None),
    ("cannot query unfinalized data", -32000, 200, LAG, None),
    ("header not found", -32000, 200, UNKNOWN_BLOCK, None),
    ("unknown block", -32000, 200, UNKNOWN_BLOCK, None),
    ("Unknown block", -39001, 200, UNKNOWN_BLOCK, None),
    ("Unknown block", 3, 200, UNKNOWN_BLOCK, None),
    ("block not found", 0, 200, UNKNOWN_BLOCK, None),
    ("header for hash not found", 0, 200, UNKNOWN_BLOCK, None),
    ("hash 0x1 is not currently canonical", 0, 200, UNKNOWN_BLOCK, None),
    ("could not find block", 0, 200, UNKNOWN_BLOCK, None),
    ("block is greater than latest", 0, 200, LAG, None),
    ("height is not available", 0, 200, LAG, None),
    ("requested data is not available", 0, 200, UNKNOWN_BLOCK, None),
    ("BlockOutOfRangeError: block height is 5 but requested was 9", -32602, 200, LAG, None),
    ("BlockOutOfRangeError: block height is 298 but requested was 296", -32602, 200, PRUNED, None),
    ("Received invalid block tag 9. Latest block number is 5", -32602, 200, LAG, None),
    ("Resource not found", 0, 200, UNKNOWN_BLOCK, None),
    ("Required data unavailable", 0, 200, UNKNOWN_BLOCK, None),
    ("transaction indexing is in progress", -32000, 200, LAG, None),
    ("pruned history unavailable", 4444, 200, PRUNED, None),
    ("", 4444, 200, PRUNED, None),
    ("missing trie node 0a", -32000, 200, PRUNED, None),
    ("No state available for block 1", 0, 200, PRUNED, None),
    ("historical state 0a is not available", 0, 200, PRUNED, None),
    ("World state unavailable", -32000, 200, PRUNED, None),
    ("Initial sync is still in progress", -32008, 200, LAG, None),
    ("genesis is not traceable", 0, 200, PRUNED, None),
    # tags
    ("finalized block not found", -32000, 200, NOT_FINAL, None),
    ("safe block not found", -32000, 200, NOT_FINAL, None),
    ("finalized header not found", -32000, 200, NOT_FINAL, None),
    ("pending block is not available", -32000, 200, TAG, None),
    ("malformed blocknumber", -32000, 200, TAG, None),
    ("finalized is not a supported commitment", 0, 200, TAG, None),
    ("Invalid Params", -32602, 200, Kind.INVALID_PARAMS, None),
    # batches and methods
    ("batch too large", -32600, 200, Kind.BATCH_TOO_LARGE, None),
    ("batch limit 100 exceeded: 142 requests given", -32000, 200, Kind.BATCH_TOO_LARGE, None),
    ("Number of requests exceeds max batch size", -32005, 200, Kind.BATCH_TOO_LARGE, None),
    ("Batch request length too long", -32600, 200, Kind.BATCH_TOO_LARGE, None),
    ("the method eth_getBlockReceipts does not exist/is not available", -32601, 200, Kind.METHOD_MISSING, None),
    ("Method not found", -32601, 200, Kind.METHOD_MISSING, None),
    ("gibberish", -32000, 200, Kind.UNKNOWN, None),
    ("", 0, 503, Kind.TRANSPORT, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "status", "kind", "limit"), CASES)
def test_wording(text: str, code: int, status: int, kind: Kind, limit: int | None) -> None:
    assert wording.classify(text, code, status) is kind
    assert wording.classify(text.upper(), code, status) is kind
    if kind in {RANGE, RESULTS}:
        assert wording.range_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ALCHEMY, (0x10, 0x1F)),
        ("this block range should work: [0x12, 0x15]", (0x10, 0x13)),  # moved to where the range begins
        ("this block range should work: [0x1f, 0x10]", None),  # inverted
        ("this block range should work: [0x10, 0x2f]", None),  # as wide as asked
        ("this block range should work: [0x1, 0x12]", None),  # outside
        ("retry with the range 16-18", (16, 18)),
        ('more than 10000 results {"from": "0x10", "limit": 10000, "to": "0x11"}', (16, 17)),
        ("query returned more than 10000 results", None),
    ],
)
def test_suggested_range(text: str, expected: tuple[int, int] | None) -> None:
    assert wording.suggested_range(text, 0x10, 0x2F) == expected


def test_node_texts_are_cleaned() -> None:
    assert errors.clean(b"a\x00b\xff\n\x1b[1mc") == "a b\ufffd [1mc"
    assert len(errors.clean("x" * 100_000)) == errors.LONGEST_TEXT
    assert "secret" not in errors.clean("see https://user:secret@node.example/v2/secret?key=secret for more")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://user:pw@node.example/v2/key?a=b", "https://node.example/…"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("wss://[::1]:8546/?key=1", "wss://[::1]:8546/…"),
        ("http://host:notaport/key", "(unreadable URL)"),
    ],
)
def test_endpoints_are_masked(url: str, masked: str) -> None:
    assert errors.mask(url) == masked
