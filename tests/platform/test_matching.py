"""Which old row is which event, and what an old row becomes: the pure parts of moving in."""

import dataclasses
import itertools
import random
import re
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from chainfirst.ops.moving import mapping, matching, records
from chainfirst.ops.moving.matching import Event, Wanted
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))
A, B = f"0x{'a' * 40}", f"0x{'b' * 40}"
_blocks = itertools.count()


def event(**said: Any) -> Event:
    return Event("t", next(_blocks), 0, 0, said.pop("tx", f"0x{next(_blocks)}"), **said)


def wanted(key: uuid.UUID, **said: Any) -> Wanted:
    return Wanted(key, key, said.pop("tx", None), **said)


def found(rows: list[Wanted], events: list[Event], table: str = "investments") -> dict[uuid.UUID, str]:
    return {key: match.by for key, match in matching.match(table, rows, events).found.items()}


def test_the_surest_wins() -> None:
    by_id = event(id=ONE, wallet=A, amount=Fraction(5))
    by_transaction = event(tx="0xfe", wallet=B, amount=Fraction(5))
    by_amount = event(wallet=B, amount=Fraction(5))
    rows = [
        wanted(ONE, tx="0xfe", wallet=B, amount=Fraction(5)),
        wanted(TWO, tx="0xfe", wallet=B, amount=Fraction(5)),
        wanted(THREE, wallet=B, amount=Fraction(5)),
    ]
    matches = matching.match("investments", rows, [by_amount, by_transaction, by_id])
    assert {key: match.event for key, match in matches.found.items()} == {
        ONE: by_id,
        TWO: by_transaction,
        THREE: by_amount,
    }
    assert (matches.left, matches.ambiguous) == ([], {})


def test_what_differs_is_a_match_only_by_id_or_transaction() -> None:
    row = wanted(ONE, tx="0xfe", wallet=A, amount=Fraction(5), place=A)
    for said in ({"id": ONE}, {"tx": "0xfe"}):
        other = event(wallet=B, amount=Fraction(9, 2), place=B, **said)
        assert list(found([row], [other])) == [ONE]
        assert matching.differences(row, other) == [
            f"wallet {A} here, {B} on chain",
            "amount 5 here, 4.5 on chain",
            f"contract {A} here, {B} on chain",
        ]
    assert found([row], [event(wallet=A, amount=Fraction(5), place=B)]) == {}


def test_an_event_with_another_id_is_never_the_row() -> None:
    row = wanted(ONE, tx="0xfe", wallet=A, amount=Fraction(5))
    assert found([row], [event(tx="0xfe", id=TWO, wallet=A, amount=Fraction(5))]) == {}


def test_several_in_one_transaction_are_told_apart() -> None:
    events = [event(tx="0xfe", wallet=wallet, amount=Fraction(5)) for wallet in (A, B)]
    rows = [wanted(ONE, tx="0xfe", wallet=A), wanted(TWO, tx="0xfe", wallet=B)]
    assert found(rows, events) == {ONE: "transaction", TWO: "transaction"}
    matches = matching.match("investments", [wanted(ONE, tx="0xfe")], events)
    assert matches.ambiguous == {ONE: "by transaction it may be 2 events, and they 1 rows"}
    assert matches.left == events


def test_what_could_be_two_is_none() -> None:
    twins = [wanted(key, wallet=A, amount=Fraction(5)) for key in (ONE, TWO)]
    matches = matching.match("investments", twins, [event(wallet=A, amount=Fraction(5))])
    assert matches.found == {}
    assert matches.ambiguous == dict.fromkeys(
        (ONE, TWO), "by wallet and amount it may be 1 events, and they 2 rows"
    )
    apart = [dataclasses.replace(row, place=place) for row, place in zip(twins, (A, B), strict=True)]
    assert found(apart, [event(wallet=A, amount=Fraction(5), place=B)]) == {TWO: "wallet and amount"}


def test_campaigns_and_certificates() -> None:
    assert found([wanted(ONE, place=A)], [event(place=A)], "campaigns") == {ONE: "contract"}
    rows = [wanted(ONE, token_id=7, amount=Fraction(5))]
    assert found(rows, [event(token_id=7), event(token_id=8)], "certificates") == {ONE: "token"}
    assert found([wanted(ONE, wallet=A)], [event(wallet=A, id=ONE)], "companies") == {ONE: "id"}
    assert found([wanted(ONE, wallet=A)], [event(wallet=A)], "companies") == {ONE: "wallet"}


maybe = st.none() | st.integers(0, 2)
_some = st.builds(
    lambda key, tx, wallet, amount, place: (key, tx, wallet, amount, place), maybe, maybe, maybe, maybe, maybe
)


@given(st.lists(_some, max_size=6), st.lists(_some, max_size=6), st.randoms(use_true_random=False))
def test_the_order_decides_nothing_and_nothing_is_taken_twice(
    rows_said: list[Any], events_said: list[Any], rng: random.Random
) -> None:
    rows = [
        Wanted(uuid.uuid4(), uuid.UUID(int=key or 0), tx and f"0x{tx}", wallet and f"0x{wallet}",
               None if amount is None else Fraction(amount), place and f"0x{place}")
        for key, tx, wallet, amount, place in rows_said
    ]  # fmt: skip
    events = [
        Event("t", block, 0, 0, f"0x{tx}", id=key and uuid.UUID(int=key), wallet=wallet and f"0x{wallet}",
              amount=None if amount is None else Fraction(amount), place=place and f"0x{place}")
        for block, (key, tx, wallet, amount, place) in enumerate(events_said)
    ]  # fmt: skip
    matches = matching.match("investments", rows, events)
    taken = [match.event for match in matches.found.values()]
    assert len(set(taken)) == len(taken)
    assert sorted(map(str, [*taken, *matches.left])) == sorted(map(str, events))
    assert not matches.found.keys() & matches.ambiguous.keys()
    for table in (rows, events):
        rng.shuffle(table)
    assert matching.match("investments", rows, events).found == matches.found


@pytest.mark.parametrize(
    ("value", "wanted_id"),
    [
        (f"0x{ONE.hex}{'0' * 32}", ONE),
        (f"0x{'0' * 32}{TWO.hex}", TWO),
        (str(ONE), ONE),
        (Decimal(3), THREE),
        (3, THREE),
        (0, None),
        (2**128, None),
        (f"0x{'ab' * 32}", None),
        ("FT2411", None),
        (None, None),
    ],
)
def test_ids_of_events(value: object, wanted_id: uuid.UUID | None) -> None:
    assert matching.id_of(value) == wanted_id


OLD_USER = {
    "id": str(ONE), "email": "a@x", "full_name": ["Abebe", ""], "role": "Investor", "active": True,
    "created_at": datetime(2024, 1, 1, tzinfo=UTC),
}  # fmt: skip


def test_a_row_has_all_its_problems() -> None:
    row = records.convert("users", OLD_USER | {"email": "", "role": "king", "wallet": "0x1"}, {}, {})
    assert row.problems.keys() == {"email", "role", "wallet"}
    assert row.problems["email"] == "empty"
    whole = records.convert("users", OLD_USER, {}, {})
    assert whole.problems == {}
    assert records.kept(whole) == {
        "id": ONE, "email": "a@x", "full_name": "Abebe", "phone": None, "role": "investor", "wallet": None,
        "kyc_level": 0, "kyc_status": "unverified", "aml_score": None, "active": True,
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("id", ONE.hex.upper(), ONE),
        ("active", 0, False),
        ("active", "yes", None),
        ("kyc_level", Decimal("2.0"), 2),
        ("kyc_level", "two", None),
        ("kyc_level", Decimal("NaN"), None),
        ("created_at", "2024-01-01T03:00:00+03:00", datetime(2024, 1, 1, tzinfo=UTC)),
        ("created_at", datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),  # noqa: DTZ001
        ("created_at", date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
        ("created_at", "yesterday", None),
        ("wallet", "", None),
        (
            "wallet",
            "0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266",
            "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        ),
    ],
)
def test_values(name: str, value: object, read: object) -> None:
    row = records.convert("users", OLD_USER | {name: value}, {}, {})
    assert row.values[name] == read
    assert (name in row.problems) == (read is None and value != "")


OLD_INVESTMENT = {
    "id": ONE, "campaign": TWO, "investor": THREE, "amount": Decimal("5.10"), "payment_method": "cbe",
    "status": "confirmed", "created_at": datetime(2024, 1, 1, tzinfo=UTC),
}  # fmt: skip


def test_words_defaults_and_amounts() -> None:
    def convert(**said: Any) -> records.Row:
        words = said.pop("words", {})
        return records.convert("investments", OLD_INVESTMENT | said, words, {"payment_reference": "old-{id}"})

    row = convert()
    assert (row.values["status"], row.was, row.values["paid_at"]) == (
        "paid", "confirmed", OLD_INVESTMENT["created_at"],
    )  # fmt: skip
    assert row.values["payment_reference"] == f"old-{ONE}"
    assert convert(status="pending").values["paid_at"] is None
    assert convert(payment_method="Hawala", words={"payment_method": {"hawala": "other"}}).problems == {}
    assert "map it to token or telebirr" in convert(payment_method="hawala").problems["payment_method"]
    for amount, why in ((5.1, "floating-point"), (Decimal("0.001"), "2 decimals"), ("x", "no amount"),
                        (Decimal("Infinity"), "no amount")):  # fmt: skip
        assert why in convert(amount=amount).problems["amount"]
    assert convert(amount="7").values["amount"] == Decimal("7.00")
    broken = records.convert("investments", OLD_INVESTMENT, {}, {"payment_reference": "{nothing}"})
    assert "can't be filled in" in broken.problems["payment_reference"]


def test_the_page_about_it_says_what_the_code_does(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "moving-in.md").read_text(encoding="utf-8")
    sample, *_ = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "old.toml"
    file.write_text(sample, encoding="utf-8")
    assert mapping.load(file).events.investments[0].decimals == 18
    for shape in records.TABLES.values():
        assert f"`{shape.table}`" in page
        for each in shape.fields:
            columns = [each.column] if isinstance(each.column, str) else each.column
            said = [each.name, *columns, *each.words]
            assert [word for word in said if not re.search(rf"\b{word}\b", page)] == []
            if not each.required and shape.table != "certificates_nftsharecertificate":
                assert f"({columns[0]})" in page
