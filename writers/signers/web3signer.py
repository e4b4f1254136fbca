"""A remote signer: eth_signTransaction over HTTP, as Consensys Web3Signer (or clef, or geth) speaks it.

What comes back is believed only when it is exactly the transaction that was asked for, signed by the
lane's account. (Web3Signer signs for the chain of its own --chain-id, whatever is asked: web3signer#977.)
A refusal is transient: it can be mended there while indexing goes on here.
"""

import dataclasses
import re
from typing import Any

import msgspec
from chainfirst.indexer.rpc import errors as rpc
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import values
from chainfirst.ops.errors import ConfigError, FatalError, TransientError
from chainfirst.writers import transaction
from chainfirst.writers.transaction import Legacy, Unsigned

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 10.0
TOTAL_SECONDS = 15.0
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024


class SignedAnswer(msgspec.Struct):
    """The answer of geth and clef; Web3Signer's is the raw bytes alone."""

    raw: str


_ANSWER: Any = str | SignedAnswer


class RemoteSigner:
    """Signs by asking the server; any thread may."""

    def __init__(self, endpoint: Endpoint, address: str) -> None:
        self._endpoint = endpoint
        self.address = address

    def sign(self, unsigned: Unsigned) -> bytes:
        """The raw bytes. TransientError if none come; FatalError for anything but what was asked for."""
        answer = _call(self._endpoint, "eth_signTransaction", [_request(unsigned, self.address)], _ANSWER)
        if isinstance(answer, rpc.RpcError):
            raise TransientError(
                f"the remote signer did not sign: {answer.message}",
                "See that it runs and holds the key; it is asked again.",
                answer.retry_after_seconds,
            )
        return self._verified(unsigned, answer.raw if isinstance(answer, SignedAnswer) else answer)

    def __repr__(self) -> str:
        return f"<remote signer of {self.address} at {self._endpoint.name}>"

    def _verified(self, asked: Unsigned, answer: str) -> bytes:
        try:
            signed = transaction.decode(bytes.fromhex(answer.removeprefix("0x")))
        except ValueError as error:
            raise self._betrayal(f"answered with no signed transaction: {rpc.clean(str(error))}") from None
        if signed.transaction != asked:
            raise self._betrayal(f"signed another transaction: {_difference(signed.transaction, asked)}")
        if signed.sender != self.address:
            raise self._betrayal(f"signed as {signed.sender}, not as {self.address}")
        return signed.raw

    def _betrayal(self, what: str) -> FatalError:
        return FatalError(
            f"the remote signer at {self._endpoint.name} {what}",
            "Nothing of it was used. Find out why (its chain id, its key) before starting again.",
        )


def open(  # noqa: A001
    target: values.Signer,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> RemoteSigner:
    """The signer of the URL's account, or where the URL names none, of the server's only one.

    ConfigError if the server hasn't got the account, or several and none is named. A server that does
    not answer is a TransientError only where its account isn't known: it is not needed before it signs.
    """
    address = target.account
    endpoint = Endpoint(
        target.target,
        connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds=read_timeout_seconds,
        total_seconds=total_seconds,
        largest_body_bytes=LARGEST_ANSWER_BYTES,
    )
    answer = _call(endpoint, "eth_accounts", [], list[str])
    if isinstance(answer, rpc.RpcError):
        if address is not None:
            return RemoteSigner(endpoint, address)
        raise TransientError(
            f"the remote signer did not name its account: {answer.message}",
            "See that it runs; or name the account in the settings: web3signer:URL#0xADDRESS.",
        )
    accounts = [each.lower() for each in answer if re.fullmatch("0x[0-9a-fA-F]{40}", each)]
    if address is None and len(accounts) != 1:
        raise ConfigError(
            f"the remote signer at {endpoint.name} has {len(accounts)} accounts, not one",
            "Name the account in the settings: web3signer:URL#0xADDRESS.",
        )
    if address is not None and address not in accounts:
        known = ", ".join(accounts[:5]) or "none"
        raise ConfigError(
            f"the remote signer at {endpoint.name} has no account {address}; it has: {known}",
            "Correct the account in the settings, or give the signer its key.",
        )
    return RemoteSigner(endpoint, address or accounts[0])


def _call(endpoint: Endpoint, method: str, params: list[Any], kind: Any) -> Any:
    """The result, or the error: it is not raised, for frames behind it hold the URL's password."""
    try:
        return endpoint.call(method, params, kind)
    except rpc.RpcError as error:
        return error.with_traceback(None)


def _request(unsigned: Unsigned, address: str) -> dict[str, str]:
    """The parameter of eth_signTransaction (execution-apis, GenericTransaction)."""
    if isinstance(unsigned, Legacy):
        fees = {"gasPrice": hex(unsigned.gas_price_wei)}
    else:
        fees = {
            "maxPriorityFeePerGas": hex(unsigned.max_priority_fee_per_gas_wei),
            "maxFeePerGas": hex(unsigned.max_fee_per_gas_wei),
        }
    return fees | {
        "chainId": hex(unsigned.chain_id),
        "nonce": hex(unsigned.nonce),
        "from": address,
        "to": unsigned.to,
        "gas": hex(unsigned.gas),
        "value": hex(unsigned.value),
        "data": f"0x{unsigned.data.hex()}",
    }


def _difference(found: Unsigned, asked: Unsigned) -> str:
    """Which fields differ."""
    if type(found) is not type(asked):
        return f"of type {type(found).__name__}, not {type(asked).__name__}"
    words = []
    for name in [each.name for each in dataclasses.fields(asked)]:
        theirs, ours = getattr(found, name), getattr(asked, name)
        if theirs != ours:
            words.append(name if isinstance(theirs, bytes) else f"{name} {theirs}, not {ours}")
    return ", ".join(words)
