"""Kinds of text in the settings: each is checked when it is made, and keeps its secrets when printed."""

import re
import urllib.parse
from typing import ClassVar

from chainfirst.ops import settings

SIGNERS = ("keystore", "env", "web3signer")
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{60,}")  # a private key in hex or decimal digits
_VARIABLE = re.compile(r"(?!(0x)?[0-9a-fA-F]{60})[A-Za-z_][A-Za-z0-9_]*")


class DatabaseUrl(settings.Text):
    """ "embedded" or a PostgreSQL URL; printing shows no password."""

    allowed: ClassVar[str] = '"embedded" or a postgresql:// URL'

    def __init__(self, full: str) -> None:
        if full != "embedded":
            _check_url(full, ("postgresql", "postgres"), self.masked(full), host_needed=False)
        super().__init__(full)

    @property
    def embedded(self) -> bool:
        """Whether it is the database of `chainfirst dev up`."""
        return self.full == "embedded"

    @staticmethod
    def masked(text: str) -> str:
        """Without the password, wherever in the URL it stands."""
        text = re.sub(r"(?i)([?&](?:password|sslpassword)=)[^&]*", r"\1***", text)
        return re.sub(r"^([^:/?#]*://[^:@/?#]*:).*@", r"\1***@", text, flags=re.DOTALL)


class Endpoint(settings.Text):
    """A node's URL, or "dev"; printed without user, path and query, where providers put their keys."""

    allowed: ClassVar[str] = '"dev" or an http://, https://, ws:// or wss:// URL'

    def __init__(self, full: str) -> None:
        if full != "dev":
            _check_url(full, ("http", "https", "ws", "wss"), self.masked(full))
        super().__init__(full)

    @property
    def dev(self) -> bool:
        """Whether it is the local node of `chainfirst dev up`."""
        return self.full == "dev"

    @staticmethod
    def masked(text: str) -> str:
        """Scheme, host and port."""
        scheme, found, rest = text.partition("://")
        if not found:
            return text
        host, slash, path = rest.rpartition("@")[2].partition("/")
        host, query, _ = host.partition("?")
        return f"{scheme}://{host}" + ("/…" if query or (slash and path) else "")


class Address(settings.Text):
    """An account's or contract's address; `lower` is how the database spells it."""

    allowed: ClassVar[str] = "an address: 0x and 40 hex digits, in lower case or with a right EIP-55 checksum"

    def __init__(self, full: str) -> None:
        import eth_utils

        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", full):
            raise ValueError(settings.show(full, str))
        digits = full[2:]
        if digits not in (digits.lower(), digits.upper()) and not eth_utils.address.is_checksum_address(full):
            raise ValueError(f'"{full}", whose checksum is wrong: mistyped?')
        super().__init__(full)

    @property
    def lower(self) -> str:
        """Lower-case 0x text."""
        return self.full.lower()


class Signer(settings.Text):
    """Where the writers' key is; the key itself is never in the settings."""

    allowed: ClassVar[str] = '"keystore:FILE", "env:VARIABLE", "web3signer:URL" or "web3signer:URL#0xADDRESS"'

    def __init__(self, full: str) -> None:
        kind, _, target = full.partition(":")
        if kind not in SIGNERS or not target or _KEY.fullmatch(target):
            raise ValueError("something else")  # may be a key pasted in the wrong place: not shown
        if kind == "env" and not _VARIABLE.fullmatch(target):
            raise ValueError("something that is no variable's name")
        if kind == "env" and target.startswith("CHAINFIRST_"):
            raise ValueError(f'"{full}", a variable that would be read as a setting')
        if kind == "web3signer":
            url, found, account = target.partition("#")
            _check_url(url, ("http", "https"), f'"{self.masked(full)}"')
            if found and not re.fullmatch(r"0x[0-9a-fA-F]{40}", account):
                raise ValueError("a URL with something else than an address after #")
            self.account = Address(account).lower if found else None
        super().__init__(full)

    account: str | None = None
    """The address, lower-case 0x, that a URL names."""

    @property
    def kind(self) -> str:
        """keystore, env or web3signer."""
        return self.full.partition(":")[0]

    @property
    def target(self) -> str:
        """The file, variable or URL."""
        target = self.full.partition(":")[2]
        return target.partition("#")[0] if self.kind == "web3signer" else target

    @staticmethod
    def masked(text: str) -> str:
        """Without what a URL may hide, and without what may be a key."""
        kind, _, target = text.partition(":")
        if kind not in SIGNERS:
            return "…"
        if _KEY.fullmatch(target) or (kind == "env" and not _VARIABLE.fullmatch(target)):
            return f"{kind}:…"
        if kind != "web3signer":
            return text
        url, found, account = target.partition("#")
        shown = account if re.fullmatch(r"0x[0-9a-fA-F]{40}", account) else "…"
        return f"{kind}:{Endpoint.masked(url)}" + (f"#{shown}" if found else "")


class KindPattern(settings.Text):
    """Kinds of intents: one by its name, or all of a domain."""

    allowed: ClassVar[str] = 'a kind such as "certificate.mint", or all of a domain: "certificate.*"'

    def __init__(self, full: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*)", full):
            raise ValueError(settings.show(full, str))
        super().__init__(full)

    def matches(self, kind: str) -> bool:
        """Whether it is the kind, or the kind's domain."""
        return self.full in (kind, f"{kind.partition('.')[0]}.*")


class Amount(settings.Text):
    """Token units (the token's smallest), or the wei of contract.call, in decimal digits."""

    allowed: ClassVar[str] = 'token units as a text of decimal digits, such as "1000000"'

    def __init__(self, full: str) -> None:
        if not re.fullmatch(r"0|[1-9][0-9]{0,77}", full) or int(full) >= 2**256:
            raise ValueError(settings.show(full, str))
        super().__init__(full)

    @property
    def units(self) -> int:
        """The number."""
        return int(self.full)


def _check_url(text: str, schemes: tuple[str, ...], shown: str, host_needed: bool = True) -> None:
    try:
        parts = urllib.parse.urlsplit(text)
        good = parts.scheme in schemes and "://" in text and bool(parts.hostname or not host_needed)
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise ValueError(shown if shown.startswith('"') else f'"{shown}"')
