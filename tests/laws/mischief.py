"""What happens while daemons die at random: wishes, second thoughts, blocks, reorganisations, fees."""

import random
from datetime import timedelta
from typing import Any

from chainfirst.tests.laws.dying import FINALITY, Ordeal

GWEI = 10**9


class Mischief:
    """Draws one happening after the other."""

    def __init__(self, ordeal: Ordeal, dice: random.Random) -> None:
        self._ordeal, self._place, self._dice = ordeal, ordeal.place, dice
        self._size = 0

    def happen(self) -> None:
        happenings = {
            self._wish: 8,
            self._work: 8,
            self._mine: 6,
            self._cancel: 2,
            self._reorganise: 2,
            self._drop: 1,
            self._spike: 1,
        }
        self._dice.choices(list(happenings), list(happenings.values()))[0]()

    def pause(self, longest_seconds: float) -> None:
        self._ordeal.sql.execute("SELECT pg_sleep(%s)", [self._dice.uniform(0, longest_seconds)])

    def _wish(self) -> None:
        """One to five at once, or none if the app thinks again."""
        with self._ordeal.sql.transaction():
            for _ in range(self._dice.randint(1, 5)):
                match self._dice.choices(["call", "register", "verify", "nonsense"], [3, 3, 4, 1])[0]:
                    case "call":
                        self._size += 1
                        self._ordeal.call(self._size, **self._options())
                    case "register":
                        self._ordeal.register(**self._options())
                    case "verify":
                        self._ordeal.verify(**self._options())
                    case _:
                        self._ordeal.nonsense()

    def _options(self) -> dict[str, Any]:
        match self._dice.randrange(10):
            case 0:
                return {"expires_at": self._ordeal.now() + timedelta(seconds=self._dice.uniform(0, 4))}
            case 1:
                return {"not_before": self._ordeal.now() + timedelta(seconds=self._dice.uniform(0, 4))}
            case 2 if self._ordeal.wishes:
                return {"depends_on": f"wish {self._dice.randrange(len(self._ordeal.wishes))}"}
            case 3:
                return {"priority": self._dice.randint(-9, 9)}
        return {}

    def _work(self) -> None:
        self.pause(0.3)

    def _mine(self) -> None:
        self._place.mine(self._dice.randint(1, 3))

    def _cancel(self) -> None:
        open_ = [row[0] for row in self._ordeal.all("SELECT id FROM intent.intents WHERE outcome IS NULL")]
        if open_:
            self._ordeal.cancel(self._dice.choice(sorted(open_)), may_be_late=True)

    def _reorganise(self) -> None:
        """Some of what goes may come again at once, in other blocks; the pool forgets the rest."""
        depth = self._dice.randint(1, FINALITY)
        head, _ = self._place.head()
        gone = self._ordeal.all(
            "SELECT '0x' || encode(a.raw, 'hex') FROM intent.inclusions n"
            " JOIN intent.attempts a ON a.id = n.attempt JOIN intent.transactions t ON t.id = a.transaction"
            " WHERE n.block_number > %s AND a.raw IS NOT NULL ORDER BY t.signer, t.nonce",
            head - depth,
        )
        again = gone[: self._dice.randint(0, len(gone))]
        places = sorted(self._dice.randrange(depth) for _ in again)
        self._place.reorganise(depth, [(raw, place) for (raw,), place in zip(again, places, strict=True)])

    def _drop(self) -> None:
        self._place.rpc("anvil_dropAllTransactions")

    def _spike(self) -> None:
        self._place.base_fee_wei = self._dice.choice([5, 20, 100]) * GWEI
        self._place.mine()
        self._place.base_fee_wei = None
