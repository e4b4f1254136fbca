"""Logs find their tables; nothing gets lost on the way."""

import pytest
from chainfirst.indexer import decode, router
from chainfirst.indexer.children import Children
from chainfirst.indexer.structs import Log
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import layout

TOKEN, OTHER, CHILD = ("0x" + digit * 40 for digit in "abc")
TIMES = {"0x5": "2026-01-01 00:00:00+00", "0x6": "2026-01-01 00:00:01+00"}


def params(indexed: str) -> list[dict[str, object]]:
    """Transfer's parameters, indexed where the letter is i."""
    names = (("from", "address"), ("to", "address"), ("value", "uint256"))
    return [
        {"name": name, "type": kind, "indexed": flag == "i"}
        for (name, kind), flag in zip(names, indexed, strict=True)
    ]


def decoder(contract: str, indexed: str = "ii-", *, anonymous: bool = False) -> decode.Decoder:
    event = {"type": "event", "name": "Transfer", "inputs": params(indexed), "anonymous": anonymous}
    return decode.compile_event(layout.event_layouts(contract, [event])[0])


TRANSFER = decoder("token").layout.topic0
WORD = "0x" + "0" * 63 + "7"


def log(address: str = TOKEN, *, block: int = 5, tx: int = 0, index: int = 0, topics: int = 3) -> Log:
    return Log(
        address=address,
        topics=[TRANSFER, WORD, WORD, WORD][:topics],
        data=WORD if topics == 3 else "0x",
        block_number=hex(block),
        block_hash="0x" + f"{block:064x}",
        transaction_hash="0x" + f"{tx:064x}",
        transaction_index=hex(tx),
        log_index=hex(index),
    )


def fixed(contract: str, *addresses: str, indexed: str = "ii-") -> router.Source:
    return router.Source(decoder(contract, indexed), frozenset(addresses))


def test_a_log_goes_to_its_contracts_table_and_others_are_counted() -> None:
    rows = router.Router([fixed("token", TOKEN)]).rows([log(), log(OTHER, index=1)], TIMES)
    assert list(rows.lines) == ["token_transfer"]
    assert rows.lines["token_transfer"][0].startswith("5\t0\t0\t2026-01-01 00:00:00+00\t0x")
    assert (rows.not_ours, rows.undecoded) == (1, [])


def test_a_log_of_two_contracts_is_a_row_of_each() -> None:
    rows = router.Router([fixed("a", TOKEN), router.Source(decoder("b"), None)]).rows([log()], TIMES)
    assert {table: len(lines) for table, lines in rows.lines.items()} == {"a_transfer": 1, "b_transfer": 1}


def test_erc20_and_erc721_transfers_are_told_apart_by_their_topics() -> None:
    sources = [
        router.Source(decoder("erc20"), None),
        router.Source(decoder("erc721", "iii"), None),
    ]
    rows = router.Router(sources).rows([log(), log(index=1, topics=4)], TIMES)
    assert {table: len(lines) for table, lines in rows.lines.items()} == {
        "erc20_transfer": 1,
        "erc721_transfer": 1,
    }
    assert (rows.not_ours, rows.undecoded) == (0, [])


def test_a_misfit_of_a_configured_address_is_kept_raw() -> None:
    rows = router.Router([fixed("token", TOKEN)]).rows([log(topics=4)], TIMES)
    assert rows.lines == {}
    assert "token.Transfer: " in rows.undecoded[0]


def test_a_misfit_at_any_address_is_not_ours() -> None:
    rows = router.Router([router.Source(decoder("token"), None)]).rows([log(topics=4)], TIMES)
    assert (rows.lines, rows.undecoded, rows.not_ours) == ({}, [], 1)


@pytest.mark.parametrize(
    ("block", "tx", "index", "counted"),
    [(5, 3, 9, 0), (6, 1, 0, 0), (6, 2, 0, 1), (6, 2, 5, 1), (6, 3, 6, 1), (7, 0, 0, 1)],
)
def test_a_child_counts_from_its_announcing_transaction_on(
    block: int, tx: int, index: int, counted: int
) -> None:
    children = Children()
    assert children.announce([(CHILD, (6, 2))]) == {CHILD}
    source = router.Source(decoder("child"), None, children)
    rows = router.Router([source]).rows([log(CHILD, block=block, tx=tx, index=index)], {**TIMES, "0x7": "x"})
    assert len(rows.lines.get("child_transfer", [])) == counted
    assert rows.not_ours == 1 - counted


def test_a_child_announced_twice_counts_from_the_first() -> None:
    children = Children()
    children.announce([(CHILD, (6, 2))])
    assert children.announce([(CHILD, (8, 0)), (CHILD, (6, 1))]) == frozenset()
    assert children.since == {CHILD: (6, 1)}
    children.unwind({})
    assert not children.covers(CHILD, (9, 0))


def test_the_filter_names_addresses_and_topics_while_they_are_few() -> None:
    children = Children()
    children.announce([(CHILD, (1, 0))])
    one = router.Router([fixed("token", TOKEN), router.Source(decoder("child"), None, children)])
    assert one.filter(9).addresses == (TOKEN, CHILD)
    assert one.filter(9).topics0 == (TRANSFER,)
    children.announce((f"0x{n:040x}", (1, 0)) for n in range(router.ADDRESSES_IN_FILTER))
    assert one.filter(9).addresses is None


def test_any_address_asks_for_all() -> None:
    assert router.Router([fixed("a", TOKEN), router.Source(decoder("b"), None)]).filter(9).addresses is None


def test_an_anonymous_event_is_matched_by_address_and_asks_for_all_topics() -> None:
    source = router.Source(decoder("odd", anonymous=True), frozenset([TOKEN]))
    assert router.Router([source]).filter(9).topics0 is None
    bare = log()
    unnamed = Log(**{f: getattr(bare, f) for f in bare.__struct_fields__} | {"topics": [WORD, WORD]})
    rows = router.Router([source]).rows([unnamed], TIMES)
    assert len(rows.lines["odd_transfer"]) == 1


def test_an_anonymous_event_at_any_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="anonymous event Transfer"):
        router.Router([router.Source(decoder("odd", anonymous=True), None)])


def test_identical_logs_count_once_and_different_ones_under_a_key_are_fatal() -> None:
    assert list(router.distinct([log(), log(), log(index=1), log(index=1)])) == [log(), log(index=1)]
    with pytest.raises(router.LogIdentityQuirk, match="block 5"):
        list(router.distinct([log(), log(OTHER)]))
