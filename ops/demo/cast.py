"""Who takes part in the demonstration, and who invests how much in what: the script's data."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

DAY = 86_400
DURATION = 30 * DAY
GRACE = 5 * DAY
THRESHOLD_BPS = 7_500
FEE_BPS = 250
MINIMUM = 1_000_00  # santim
FUNDS = 1_000_000_00  # santim of every investor at the beginning
TREASURY_FUNDS = 5_000_000_00

OFFICES = ("bank", "treasury", "fees")  # accounts that the node signs for; the bank makes the tokens
SIGNERS = ("operator", "minter", "owner")  # accounts that the daemon signs for, a lane each
INVESTORS = (
    "Abebe", "Almaz", "Bekele", "Chaltu", "Dawit", "Eden",
    "Fikru", "Genet", "Hana", "Kebede", "Lulit", "Meron",
)  # fmt: skip

FORGETFUL, OTHER_WALLET = "Bekele", "Bekele's new"  # who loses a key, and the wallet after that


@dataclass(frozen=True)
class Company:
    """An issuer with its one campaign, the goal in birr."""

    key: str
    name: str
    goal_birr: int
    outcome: str


COMPANIES = (
    Company("coffee", "Sheger Coffee", 1_000_000, "successful"),
    Company("solar", "Abay Solar", 600_000, "successful"),
    Company("textiles", "Lalibela Textiles", 2_000_000, "failed"),
    Company("dairy", "Awash Dairy", 900_000, "cancelled"),
)


@dataclass(frozen=True)
class Investment:
    """What an investor puts into a company's campaign; `by_bank`: money that the app asks to record."""

    number: int
    company: str
    investor: str
    amount: int
    by_bank: bool

    @property
    def id(self) -> bytes:
        """The id of a recorded one, the nonce of one that is made on chain: a UUID, then zeros."""
        return new_id(f"investment {self.number}")

    @property
    def payment(self) -> str:
        """The bank's reference."""
        return f"FT{self.number:06}"


def new_id(name: str) -> bytes:
    """The same UUID for the same name, as the platform writes it on chain."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"chainfirst:demo:{name}").bytes + bytes(16)


def as_uuid(word: bytes) -> str:
    """An id as the platform's database has it."""
    return str(uuid.UUID(bytes=word[:16]))


def santim(birr: str | int) -> int:
    """Token units: 100 santim are a birr."""
    return int(Decimal(birr) * 100)


def _investments(lines: str) -> tuple[Investment, ...]:
    parsed = [line.split() for line in lines.strip().splitlines()]
    return tuple(
        Investment(number, company, investor, santim(birr), how == "bank")
        for number, (company, investor, birr, how) in enumerate(parsed, 1)
    )


INVESTMENTS = _investments("""
    coffee    Abebe    90000     token
    solar     Almaz    80000     token
    textiles  Abebe    100000    token
    coffee    Almaz    45500.50  bank
    solar     Bekele   55000     bank
    dairy     Fikru    45000     token
    coffee    Bekele   120000    token
    textiles  Chaltu   85000     bank
    solar     Dawit    40000     token
    coffee    Chaltu   60000     token
    dairy     Kebede   30000     bank
    textiles  Eden     40000     token
    solar     Genet    70000     token
    coffee    Dawit    75250     bank
    textiles  Meron    120000    token
    dairy     Lulit    52500     token
    coffee    Eden     30000     token
    solar     Meron    25000.75  bank
    coffee    Fikru    110000    token
    solar     Kebede   45000     bank
    textiles  Genet    65000     token
    dairy     Almaz    38000     bank
    solar     Hana     60000     token
    coffee    Genet    52000     bank
    dairy     Meron    61000     token
    textiles  Bekele   95000     bank
    coffee    Hana     84000     token
    solar     Lulit    90000     token
    textiles  Dawit    50000     token
    coffee    Abebe    25000     token
    dairy     Abebe    27500     token
    solar     Chaltu   35000     token
    textiles  Hana     77777.77  token
    dairy     Dawit    44000     bank
    coffee    Lulit    62249.50  token
    solar     Eden     65000     bank
    textiles  Lulit    60000     bank
    dairy     Fikru    15000     token
    solar     Fikru    50000     token
    coffee    Kebede   66000     bank
""")
BEFORE, REORGANISED, AFTER, IN_GRACE = (
    INVESTMENTS[:18], INVESTMENTS[18:28], INVESTMENTS[28:39], INVESTMENTS[39:],
)  # fmt: skip


@dataclass(frozen=True)
class Cast:
    """Everybody's address."""

    address_of: Mapping[str, str]

    @classmethod
    def of(cls, accounts: Sequence[str], signers: Mapping[str, str]) -> "Cast":
        """The node's accounts, handed out in order, and the daemon's."""
        names = ("deployer", *OFFICES, *(company.key for company in COMPANIES), *INVESTORS, OTHER_WALLET)
        return cls(dict(zip(names, accounts, strict=False)) | dict(signers))

    def __getitem__(self, name: str) -> str:
        return self.address_of[name]

    def name(self, address: str) -> str:
        """Whose address it is; a stranger's stays as it is."""
        for name, known in self.address_of.items():
            if known.lower() == address.lower():
                return name
        return address


def company(key: str) -> Company:
    """The company of that key."""
    return next(each for each in COMPANIES if each.key == key)


def accepted() -> dict[str, int]:
    """What each campaign raises, in santim: the investment that reaches the goal is cut."""
    totals = {each.key: 0 for each in COMPANIES}
    for each in INVESTMENTS:
        totals[each.company] = min(
            totals[each.company] + each.amount, santim(company(each.company).goal_birr)
        )
    return totals


def followed(keys: Iterable[str]) -> dict[str, int]:
    """How many intents of each kind the rules make when these companies' campaigns end."""
    count = Counter[str]()
    for each in map(company, keys):
        count["campaign.finalize"] += each.outcome != "cancelled"
        if each.outcome == "successful":
            count["escrow.release"] += 1
            count["certificate.mint"] += sum(one.company == each.key for one in INVESTMENTS)
        else:
            count["escrow.refund"] += len({one.investor for one in INVESTMENTS if one.company == each.key})
    return dict(count)


def moved() -> list[Investment]:
    """The investments whose certificates go to the other wallet."""
    ended_well = {each.key for each in COMPANIES if each.outcome == "successful"}
    return [one for one in INVESTMENTS if one.investor == FORGETFUL and one.company in ended_well]


def intents() -> dict[str, int]:
    """How many intents of each kind there are in the end: of the app's records, and of the rules."""
    return followed(each.key for each in COMPANIES) | {
        "issuer.register": len(COMPANIES),
        "issuer.set_active": 2,
        "investor.set_verified": len(INVESTORS) + 2,  # a wallet that goes, one that comes
        "campaign.create": len(COMPANIES),
        "campaign.record_investment": sum(each.by_bank for each in INVESTMENTS),
        "campaign.cancel": sum(each.outcome == "cancelled" for each in COMPANIES),
        "certificate.transfer": len(moved()),
    }


def birr(units: int | Decimal | None) -> str:
    """Token units as birr with two decimals."""
    return f"{Decimal(units or 0) / 100:,.2f}"
