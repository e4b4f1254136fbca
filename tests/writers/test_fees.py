"""A replacement always meets the nodes' rule, nothing goes over the cap, more demand never costs less."""

import pytest
from chainfirst.writers import fees
from chainfirst.writers.fees import Fees, Limits, Market
from hypothesis import assume, given
from hypothesis import strategies as st

GWEI = 10**9
wei = st.integers(0, 100) | st.integers(0, 10**15) | st.integers(0, 2**200)
kinds = st.booleans()


@st.composite
def some_fees(draw: st.DrawFn) -> Fees:
    max_fee = draw(wei)
    return Fees(max_fee, draw(st.none() | st.integers(0, max_fee)))


some_limits = st.builds(
    Limits, tip_floor_wei=wei, cap_wei=st.none() | wei, base_fee_multiplier=st.integers(1, 10)
)
markets = st.builds(
    Market, base_fee_wei=st.none() | wei, tips_wei=st.lists(wei, max_size=10).map(tuple), gas_price_wei=wei
)


@pytest.mark.parametrize(
    ("market", "limits", "expected"),
    [
        (Market(10, (2, 2, 2)), Limits(), Fees(22, 2)),
        (Market(10, (2, 100, 3)), Limits(), Fees(23, 3)),  # the median
        (Market(10, (0, 0, 0, 5)), Limits(), Fees(25, 5)),  # an empty block's 0 says nothing
        (Market(10, (0, 0)), Limits(), Fees(20, 0)),
        (Market(10), Limits(tip_floor_wei=4), Fees(24, 4)),
        (Market(10, (2,)), Limits(tip_floor_wei=4), Fees(24, 4)),
        (Market(10, (2,)), Limits(base_fee_multiplier=3), Fees(32, 2)),
        (Market(10, (2,)), Limits(cap_wei=21), Fees(21, 2)),
        (Market(10, (30,)), Limits(cap_wei=21), Fees(21, 21)),
        (Market(10, (2,)), Limits(cap_wei=1), Fees(1, 1)),
        (Market(0, ()), Limits(), Fees(0, 0)),  # a private chain with London and a base fee of zero
        (Market(None, (7,), 0), Limits(), Fees(0)),  # Polygon Edge without a price limit
        (Market(None, (7,), 5), Limits(), Fees(5)),
        (Market(None, (), 5), Limits(tip_floor_wei=6), Fees(6)),
        (Market(None, (), 5), Limits(cap_wei=3), Fees(3)),
    ],
)
def test_wanted(market: Market, limits: Limits, expected: Fees) -> None:
    assert fees.wanted(market, limits) == expected


@pytest.mark.parametrize(
    ("previous", "now", "cap", "expected"),
    [
        (Fees(80, 8), Fees(10, 1), None, Fees(90, 9)),
        (Fees(81, 9), Fees(10, 1), None, Fees(92, 11)),  # rounded up
        (Fees(80, 8), Fees(200, 1), None, Fees(200, 9)),
        (Fees(80, 8), Fees(200, 100), None, Fees(200, 100)),
        (Fees(80, 8), Fees(85, 84), None, Fees(90, 84)),
        (Fees(0, 0), Fees(0, 0), None, Fees(1, 1)),
        (Fees(20, 0), Fees(20, 0), None, Fees(23, 1)),
        (Fees(80, 8), Fees(200, 100), 90, Fees(90, 90)),
        (Fees(80, 8), Fees(200, 100), 89, None),
        (Fees(80), Fees(80), None, Fees(90)),
        (Fees(0), Fees(0), None, Fees(1)),
        (Fees(0), Fees(0), 0, None),
        (Fees(80), Fees(85, 1), None, Fees(90, 90)),  # London came: a gas price was both fees
        (Fees(80, 8), Fees(85), None, Fees(90)),
    ],
)
def test_bump(previous: Fees, now: Fees, cap: int | None, expected: Fees | None) -> None:
    assert fees.bump(previous, now, Limits(cap_wei=cap)) == expected


def test_two_times_the_base_fee_last_for_six_full_blocks() -> None:
    base = 100 * GWEI
    found = fees.wanted(Market(base, (0,)), Limits())
    for _ in range(5):  # the base fee given is the first block's
        base += base // 8
    assert found.pays(base)
    assert not found.pays(base + base // 8)


def test_what_no_node_takes() -> None:
    for max_fee, tip in ((1, 2), (-1, None), (1, -1)):
        with pytest.raises(ValueError, match="with a max fee of"):
            Fees(max_fee, tip)


def test_lower() -> None:
    assert fees.lower(Fees(80, 8), Market(60)) == Fees(60, 8)
    assert fees.lower(Fees(80, 70), Market(60)) == Fees(60, 60)
    assert fees.lower(Fees(80, 8), Market(61)) is None
    assert fees.lower(Fees(80), Market(None)) == Fees(60)
    assert fees.lower(Fees(0), Market(None)) is None


@given(markets, some_limits)
def test_wanted_stays_within_its_bounds(market: Market, limits: Limits) -> None:
    found = fees.wanted(market, limits)
    assert found.is_legacy == (market.base_fee_wei is None)
    assert limits.cap_wei is None or found.max_fee_wei <= limits.cap_wei
    assert found.tip_wei <= found.max_fee_wei
    if limits.cap_wei is None:
        assert found.tip_wei >= limits.tip_floor_wei
        assert found.pays(market.base_fee_wei)
    assert found.max_fee_wei <= max(
        limits.base_fee_multiplier * (market.base_fee_wei or 0)
        + max(*market.tips_wei, limits.tip_floor_wei, market.gas_price_wei, 0),
        0,
    )


@given(some_fees(), some_fees(), some_limits)
def test_a_bump_is_one_that_nodes_take(previous: Fees, now: Fees, limits: Limits) -> None:
    found = fees.bump(previous, now, limits)
    if found is None:
        assert limits.cap_wei is not None
        assert 8 * limits.cap_wei < 9 * previous.max_fee_wei or limits.cap_wei == 0
        return
    assert found.is_legacy == now.is_legacy
    for old, new in ((previous.max_fee_wei, found.max_fee_wei), (previous.tip_wei, found.tip_wei)):
        assert 8 * new >= 9 * old
        assert new > old
    assert found.tip_wei <= found.max_fee_wei
    assert limits.cap_wei is None or found.max_fee_wei <= limits.cap_wei
    if limits.cap_wei is None:
        assert found.max_fee_wei >= now.max_fee_wei
        assert found.tip_wei >= now.tip_wei or now.is_legacy
    # and no more than is needed
    assert found.max_fee_wei <= max(fees.raised(previous.max_fee_wei), now.max_fee_wei)


@given(some_fees(), some_fees(), wei, wei, some_limits, kinds)
def test_a_bump_grows_with_what_it_replaces_and_what_is_wanted(
    previous: Fees, now: Fees, more_max: int, more_tip: int, limits: Limits, of_now: bool
) -> None:
    smaller = now if of_now else previous
    largest = smaller.max_fee_wei + more_max
    more = Fees(largest, None if smaller.is_legacy else min(smaller.tip_wei + more_tip, largest))
    low = fees.bump(previous, now, limits)
    high = fees.bump(previous, more, limits) if of_now else fees.bump(more, now, limits)
    if low is None:
        assert high is None
    elif high is not None:
        assert low.max_fee_wei <= high.max_fee_wei
        assert low.tip_wei <= high.tip_wei


@given(markets, wei, some_limits)
def test_a_higher_base_fee_never_costs_less(market: Market, more: int, limits: Limits) -> None:
    assume(market.base_fee_wei is not None)
    dearer = Market((market.base_fee_wei or 0) + more, market.tips_wei, market.gas_price_wei)
    low, high = fees.wanted(market, limits), fees.wanted(dearer, limits)
    assert low.max_fee_wei <= high.max_fee_wei
    assert low.tip_wei <= high.tip_wei


@given(some_fees(), st.integers(1, 2**200))
def test_bumps_end_at_the_cap(start: Fees, cap: int) -> None:
    found: Fees | None = start
    steps = 0
    while found is not None:
        steps += 1
        assert steps < 1300  # 2^200 is 1177 bumps from 1
        found = fees.bump(found, start, Limits(cap_wei=cap))


@given(some_fees(), markets)
def test_lower_is_less_and_still_pays(previous: Fees, market: Market) -> None:
    found = fees.lower(previous, market)
    if found is not None:
        assert found.max_fee_wei < previous.max_fee_wei
        assert found.tip_wei <= previous.tip_wei
        assert found.pays(market.base_fee_wei)
        assert found.is_legacy == previous.is_legacy
