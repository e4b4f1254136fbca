"""Real blocks before and after Byzantium: the receipts' root is the header's, the bloom knows every log."""

from pathlib import Path

import msgspec
import pytest
import rlp
from chainfirst.indexer import bloom, receipts
from chainfirst.indexer.structs import Header

DATA = Path(__file__).parent.parent / "data"
BLOCKS = ("ethereum-1000000", "ethereum-18500000")


def _block(name: str) -> tuple[Header, list[receipts.Receipt]]:
    block = msgspec.json.decode((DATA / f"{name}.block.json").read_bytes())
    block["transactions"] = []
    found = msgspec.json.decode((DATA / f"{name}.receipts.json").read_bytes(), type=list[receipts.Receipt])
    return msgspec.convert(block, Header), found


@pytest.mark.parametrize("name", BLOCKS)
def test_root_and_bloom(name: str) -> None:
    header, found = _block(name)
    assert receipts.root(found) == header.receipts_root
    assert receipts.root(found[::-1]) == header.receipts_root
    logs = receipts.logs_from_receipts(found[::-1])
    assert [int(log.log_index, 16) for log in logs] == list(range(len(logs)))
    assert logs
    assert header.logs_bloom
    for log in logs:
        assert bloom.might_contain(header.logs_bloom, [log.address], log.topics[:1] or None)


def test_a_changed_receipt_changes_the_root() -> None:
    header, found = _block(BLOCKS[0])
    log = msgspec.structs.replace(found[0].logs[0], data="0x")
    changed = msgspec.structs.replace(found[0], logs=[log])
    assert receipts.root([changed, *found[1:]]) != header.receipts_root


def test_an_incomplete_list_has_no_root() -> None:
    _, found = _block(BLOCKS[0])
    for wrong in (found[1:], [*found, found[0]]):
        with pytest.raises(ValueError, match="transactions"):
            receipts.root(wrong)


def test_the_deposit_of_an_op_stack_block_has_its_nonce_in_it_since_it_has_a_version() -> None:
    _, found = _block(BLOCKS[1])
    plain = msgspec.structs.replace(found[0], type="0x7e", deposit_nonce="0x2a")
    versioned = msgspec.structs.replace(plain, deposit_receipt_version="0x1")
    fields = rlp.decode(receipts.encode(plain)[1:])
    assert len(fields) == 4
    assert receipts.encode(versioned)[0] == receipts.encode(plain)[0] == 0x7E
    assert rlp.decode(receipts.encode(versioned)[1:]) == [*fields, b"\x2a", b"\x01"]


def test_an_empty_block() -> None:
    empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert receipts.root([]) == empty


def test_what_the_bloom_excludes() -> None:
    header, found = _block(BLOCKS[0])
    assert header.logs_bloom
    log = found[0].logs[0]
    absent = "0x" + "77" * 20
    assert not bloom.might_contain(header.logs_bloom, [absent])
    assert bloom.might_contain(header.logs_bloom, [absent, log.address], log.topics)
    assert not bloom.might_contain(header.logs_bloom, [log.address], ["0x" + "77" * 32])
    assert not bloom.might_contain(header.logs_bloom, [], None)
    assert not bloom.might_contain("0x" + "0" * 512)
    with pytest.raises(ValueError, match="characters"):
        bloom.might_contain("0x00")
