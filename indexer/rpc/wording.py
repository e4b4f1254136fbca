"""The one table of what nodes say when a read fails, and two parsers for the limits in such texts.

Codes collide (-32005 is a range, a result limit, a time-out or a rate limit), so the order is HTTP
status, then text, then code. Rows are tried in order: lag before ranges ("block range extends
beyond the head"), ranges before rates ("Block range limit exceeded"). Texts are lower case.
"""

import re

from chainfirst.indexer.rpc.errors import Kind

TABLE: tuple[tuple[Kind, str], ...] = (
    (Kind.LAG, r"beyond current head|: requested \d+, head \d+|beyond latest executed block"),
    (
        Kind.LAG,
        r"after last accepted block|cannot query unfinalized data|blockoutofrange|block height is \d+ but",
    ),
    (Kind.LAG, r"invalid block tag \d+|greater than latest|height is not available|invalid block height"),
    (Kind.LAG, r"invalid block range$|transaction indexing is in progress|initial sync is still in progress"),
    (Kind.NOT_YET_FINAL, r"(finalized|safe) (block|header) (is )?not (found|available)"),
    (
        Kind.TAG_UNSUPPORTED,
        r"pending block is not available|malformed blocknumber|not a supported commitment",
    ),
    (
        Kind.PRUNED,
        r"pruned|missing trie node|no state available|state .*is not available|world state unavailable",
    ),
    (Kind.PRUNED, r"genesis is not traceable|required historical state|history unavailable"),
    (
        Kind.BATCH_TOO_LARGE,
        r"batch (too large|limit \d+ exceeded|size (is )?too large|request length too long)",
    ),
    (Kind.BATCH_TOO_LARGE, r"exceeds max batch size"),
    (Kind.TOO_MANY_ADDRESSES, r"addresses or topics per search|exceed max (addresses|topics)"),
    (Kind.TOO_MANY_ADDRESSES, r"this query contains \d+ filters|less number of address"),
    (
        Kind.RANGE_TOO_LARGE,
        r"number of requested blocks|range (is )?(too|bigger|larger|greater)|range \d+ is bigger",
    ),
    (
        Kind.RANGE_TOO_LARGE,
        r"range limit exceeded|range \d+ exceeds|range exceeds|limited to (a )?[\d,.]+k? ",
    ),
    (
        Kind.RANGE_TOO_LARGE,
        r"too (large|wide|high)[^.]*(blocks?|range)|(blocks?|range)[^.]*too (large|wide|high)",
    ),
    (
        Kind.RANGE_TOO_LARGE,
        r"exceed\w* max\w* (block )?range|exceeds (server limit|the range allowed|max block range)",
    ),
    (
        Kind.RANGE_TOO_LARGE,
        r"blocks distance: |too many blocks|ranges over [\d,.]+k? blocks|most [\d,.]+k? blocks",
    ),
    (
        Kind.RANGE_TOO_LARGE,
        r"query must be smaller than size|invalid block range params|range threshold exceeded",
    ),
    (
        Kind.RANGE_TOO_LARGE,
        r"exceeded max allowed|maximum allowed duration|limit the query to|query exceeds limit(?! of)",
    ),
    (Kind.RANGE_TOO_LARGE, r"exceeds maximum rpc range|try paginating"),
    (
        Kind.TOO_MANY_RESULTS,
        r"response size (is )?(exceeded|should not)|response (is )?too (big|large)|too many (results|logs)",
    ),
    (
        Kind.TOO_MANY_RESULTS,
        r"returned more than|query exceeds max results|logs matched by query|logs returned",
    ),
    (Kind.TOO_MANY_RESULTS, r"try with this block range|logs over more|body too large"),
    (Kind.RANGE_TOO_LARGE, r"up to a [\d,.]+k? block range"),
    (Kind.TIMEOUT, r"timed? ?out|timeout|no backend is currently healthy|unexpected error \(code=40000\)"),
    (
        Kind.BILLING,
        r"upgrade your (tier|plan)|reached the free tier|capacity limit|for your current plan|/billing",
    ),
    (Kind.BILLING, r"payment required|not (available|supported) (in|on) your plan"),
    (
        Kind.RATE_LIMIT,
        r"rate.?limit|request rate exceeded|request count exceeded|requests? limit(ed to| reached| exceeded)",
    ),
    (Kind.RATE_LIMIT, r"requests per second|compute units|has exceeded|exceeded the quota|reached the quota"),
    (Kind.RATE_LIMIT, r"under too much load|no server available|too many requests|code: 1015|limit exceeded"),
    (
        Kind.AUTH,
        r"must be authenticated|invalid api key|key is inactive|unauthori[sz]ed|not allowed to access",
    ),
    (Kind.AUTH, r"endpoint (is )?disabled|forbidden"),
    (
        Kind.METHOD_MISSING,
        r"method .*(not (found|exist|supported|available|enabled|allowed)|unavailable|disabled)",
    ),
    (Kind.METHOD_MISSING, r"does not exist|unsupported method|does not support"),
    (
        Kind.BLOCK_UNKNOWN,
        r"header (for hash )?not found|unknown block|block not found|not currently canonical",
    ),
    (Kind.BLOCK_UNKNOWN, r"could not find block|requested data is not available|resource not found"),
    (Kind.BLOCK_UNKNOWN, r"required data unavailable"),
)
_ROWS = tuple((kind, re.compile(pattern)) for kind, pattern in TABLE)

HTTP = {
    401: Kind.AUTH, 402: Kind.BILLING, 403: Kind.AUTH, 429: Kind.RATE_LIMIT,
    408: Kind.TIMEOUT, 504: Kind.TIMEOUT, 524: Kind.TIMEOUT,
}  # fmt: skip
CODES = {
    429: Kind.RATE_LIMIT, 4444: Kind.PRUNED, -39001: Kind.BLOCK_UNKNOWN, -32601: Kind.METHOD_MISSING,
    -32004: Kind.METHOD_MISSING, -32602: Kind.INVALID_PARAMS, -32002: Kind.TIMEOUT,
    -32003: Kind.TOO_MANY_RESULTS,
    -32614: Kind.RANGE_TOO_LARGE, -32047: Kind.RANGE_TOO_LARGE, -32701: Kind.RANGE_TOO_LARGE,
    -32008: Kind.TOO_MANY_RESULTS, -32007: Kind.RATE_LIMIT, -32009: Kind.RATE_LIMIT, -32029: Kind.RATE_LIMIT,
    -32612: Kind.METHOD_MISSING, -32613: Kind.BILLING,
}  # fmt: skip

_HEIGHT = re.compile(r"block height is (\d+) but requested was (\d+)")
_NUMBER = r"(\d[\d,.]*\d|\d)(k?)\b"
_LIMITS = tuple(
    re.compile(before + _NUMBER + after)
    for before, after in (
        (r"up to an? ", r" blocks? range"),
        (r"limited to (?:an? )?", r" (?:blocks? )?range"),
        (r"(?:max|maximum|max is|maximum is set to|limit is|maximum allowed is)[:=]? ", r""),
        (r"(?:max|maximum) (?:block )?range(?: is)?(?::| =|) ", r""),
        (r"blocks distance: ", r""),
        (r"range \d+ exceeds limit of ", r""),
        (r"range limit ", r""),
        (r"requested blocks is ", r""),
        (r"at most ", r" blocks"),
        (r"\(\d+ > ", r"\)"),
        (r"range exceeds server limit, narrow your filter: ", r""),
        (r"the maximum of ", r" blocks"),
        (r"ranges over ", r" blocks"),
        (r"range greater than ", r""),
        (r"block range exceeds ", r""),
        (r"smaller than size ", r""),
    )
)
_SUGGESTIONS = (
    re.compile(r"\[\s*(0x[0-9a-f]+)\s*,\s*(0x[0-9a-f]+)\s*\]"),
    re.compile(r"retry with the range (\d+)-(\d+)"),
    re.compile(r'"from": ?"(0x[0-9a-f]+)".*"to": ?"(0x[0-9a-f]+)"'),
)


def classify(text: str, code: int = 0, http_status: int = 200) -> Kind:
    """What the error means; a text of a used-up plan overrides the plain HTTP 429."""
    lowered = text.lower().strip().rstrip(".")
    height = _HEIGHT.search(lowered)
    if height and int(height[2]) <= int(height[1]):  # anvil's words of a state that it has thrown away too
        return Kind.PRUNED
    spoken = next((kind for kind, pattern in _ROWS if pattern.search(lowered)), None)
    if http_status in HTTP:
        return Kind.BILLING if spoken is Kind.BILLING else HTTP[http_status]
    if spoken is not None:
        return spoken
    if http_status == 413:
        return Kind.TOO_MANY_RESULTS
    if code in CODES:
        return CODES[code]
    return Kind.TRANSPORT if http_status >= 500 else Kind.UNKNOWN


def range_limit(text: str) -> int | None:
    """How many blocks (both ends counted) the node allows; None if the text doesn't say.

    "N blocks" is to - from for some nodes and to - from + 1 for others: N counted blocks suit both.
    """
    lowered = text.lower()
    for pattern in _LIMITS:
        found = pattern.search(lowered)
        if found:
            limit = int(re.sub(r"[,.]", "", found[1])) * (1000 if found[2] else 1)
            if limit > 0:
                return limit
    return None


def suggested_range(text: str, first: int, last: int) -> tuple[int, int] | None:
    """The range a node proposes for first..last, moved to `first`; None unless inside and smaller."""
    for pattern in _SUGGESTIONS:
        found = pattern.search(text.lower())
        if found:
            low, high = int(found[1], 0), int(found[2], 0)
            if first <= low <= high <= last and high - low < last - first:
                return first, first + high - low
    return None
