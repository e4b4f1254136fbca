"""What a kind of intent is: a typed payload, the call that it becomes, the event that settles it.

Declaring one is described in docs/kinds.md. A kind is *once* where the contract knows an id and takes it a
single time: any event with that id settles the intent, whoever sent it, and a second call reverts. It is
*repeatable* where the same call may come again and do something each time: only an event of the intent's own
transaction counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from chainfirst.schema import folds
from chainfirst.writers import payload

if TYPE_CHECKING:
    from chainfirst.writers.contract import Contract, Event

P = TypeVar("P", bound=payload.Payload)

# What lacks is the signer's right, not the intent's: its owner grants it, or another key must sign. Each kind
# whose function asks for a role waits for it, with an alert.
NO_ROLE = frozenset({"AccessControlUnauthorizedAccount"})
# The token is paused, or too little of it is there or approved: somebody unpauses, fills up, approves. In the
# errors of OpenZeppelin 5, in the words of its older versions, and for a token that only returns false.
TOKEN_LACKS = frozenset(
    {
        "EnforcedPause",
        "ERC20InsufficientBalance",
        "ERC20InsufficientAllowance",
        "ERC20: transfer amount exceeds balance",
        "ERC20: transfer amount exceeds allowance",
        "ERC20: insufficient allowance",
        "ERC20Pausable: token transfer while paused",
        "Pausable: paused",
        "SafeERC20FailedOperation",
    }
)


@dataclass(frozen=True)
class Call:
    """A call of a contract. `to`: lower-case 0x text; `data`: selector and arguments; `value`: wei."""

    to: str
    data: bytes
    value: int = 0


@dataclass(frozen=True)
class Expected:
    """Which row of which event table settles an intent. Values are as to_jsonb(row) gives them.

    `key_column` has `key` (as text) and is what an index finds it by. `match`: further columns that make it
    this intent's event. For a once kind alone, `equal` and `at_most`: columns that must have these values, or
    no greater ones; else somebody else used the id for something else, a conflict.
    """

    table: str
    key_column: str
    key: str
    match: Mapping[str, Any]
    equal: Mapping[str, Any] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A valid intent. `amount`: what counts against the kind's limits (`Kind.counts` says what that is)."""

    call: Call
    expected: Expected
    amount: int | None = None


class Book(Protocol):
    """What preparing may look up, in the settings and in the ledger as it is indexed.

    Look-ups raise payload.UnknownId, naming `field`, where nothing of that id is indexed.
    """

    def address(self, contract: str) -> str:
        """The one configured address of a contract, lower-case."""

    def contract(self, key: str) -> "Contract | None":
        """The contract that is configured under that key."""

    def campaign(self, campaign_id: str, field: str = "campaign") -> str:
        """The address of a campaign, by its id on chain."""

    def raised(self, campaign_id: str, field: str = "campaign") -> int:
        """Everything that a campaign has accepted, in token units."""

    def contribution(self, campaign: str, investor: str, field: str = "investor") -> int:
        """What an investor put into the campaign at that address, in token units."""

    def company(self, wallet: str, field: str = "wallet") -> str:
        """The company whose wallet this is now: its id on chain."""

    def check_certificate(self, token_id: int, field: str = "token_id") -> None:
        """Whether there is such a certificate."""

    def check_child(self, contract: "Contract", address: str, field: str = "address") -> None:
        """Whether the contract's factory has announced that address."""


@dataclass(frozen=True)
class Kind(Generic[P]):
    """A kind of intent.

    `tables`: the event tables whose sources must be complete before it is prepared, because it settles by
    them or looks things up in what is folded from them. `waits_for`: the errors, and messages of
    Error(string), that it waits for without end, with an alert; any other revert rejects it in the end.
    `counts`: what counts against its limits, in words; None: nothing, and limits for it are a mistake.
    """

    name: str
    payload: type[P]
    once: bool
    tables: tuple[str, ...]
    prepare: Callable[[P, Book], Prepared]
    waits_for: frozenset[str] = frozenset()
    counts: str | None = None

    def read(self, data: object, book: Book) -> Prepared:
        """The payload (parsed JSON) as call and event. PayloadError: it is wrong; UnknownId: an id is."""
        return self.prepare(payload.read(self.payload, data), book)

    def waits(self, error: str, arguments: Mapping[str, Any]) -> bool:
        """Whether it waits without end when its call reverts with this error (as reverts.Revert has it)."""
        return error in self.waits_for or (error == "Error" and arguments.get("message") in self.waits_for)


def tables(event: "Event", *relations: str) -> tuple[str, ...]:
    """The event's table, and those that these relations of the ledger are folded from."""
    by_name = {fold.name: fold for fold in folds.FOLDS}
    looked_up = {table for name in relations for table, _ in by_name[name].sources}
    return (event.table, *sorted(looked_up - {event.table}))
