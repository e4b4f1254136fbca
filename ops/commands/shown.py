"""Intents as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from chainfirst.ops.commands.asked import line


def row(each: Mapping[str, Any]) -> str:
    """One in a list; a ! before its status: somebody must look at it."""
    again = f" ({each['generation']})" if each["generation"] > 1 else ""
    mark = "!" if each["alert"] else " "
    reason = line(each["waits_for"] or each["error"] or "")
    return (
        f"{each['id']} {mark}{each['status']:9} {each['kind']}  {line(each['key'])}{again}  {reason}".rstrip()
    )


def one(facts: Mapping[str, Any]) -> Iterator[str]:
    """Everything of one: what is known in its overview, then what was signed, then its history."""
    listed = ("error", "generations", "signed", "history")
    for name, value in facts.items():
        if name not in listed and value is not None and value is not False:
            yield f"{name:20} {line(value)}"
    for text in (facts["error"] or "").splitlines():
        yield f"{'error':20} {line(text)}"
    for each in facts["generations"]:
        if each["id"] != facts["id"]:
            yield f"{'other generation':20} {each['generation']}: {each['id']} {each['status']}"
    yield from _signed(facts["signed"])
    yield "history"
    for each in facts["history"]:
        block = "" if each["block_number"] is None else f" (block {each['block_number']})"
        yield f"  {line(each['at'])}  {each['status']:9}  {line(each['cause'])}{block}"


def _signed(attempts: list[Mapping[str, Any]]) -> Iterator[str]:
    if attempts:
        yield "signed"
    nonce = None
    for each in attempts:
        if each["nonce"] != nonce:
            nonce = each["nonce"]
            lost = ""
            if each["foreign_hash"] is not None:
                lost = f", used by {each['foreign_hash']}, accepted by {line(each['accepted_by'])}"
            yield f"  nonce {nonce} of {each['signer']}{lost}"
        if each["hash"] is not None:
            yield from _attempt(each)


def _attempt(each: Mapping[str, Any]) -> Iterator[str]:
    gas = "" if each["gas"] is None else f", {each['gas']} gas"
    tip = "" if each["priority_fee_wei"] is None else f" (tip {each['priority_fee_wei']})"
    price = f"at most {each['max_fee_wei']} wei a gas{tip}"
    yield f"    {each['purpose']} {each['hash']} at block {each['signed_block']}{gas}, {price}"
    if each["sent_at"] is None:
        yield "      not sent"
    else:
        said = line(f"{each['answer'] or 'nothing'} {each['answer_text'] or ''}")
        when = f"{line(each['sent_at'])}, last at block {each['last_sent_block']}"
        yield f"      sent {when}; the node said: {said}"
    if each["block_number"] is not None:
        how = "mined" if each["ok"] else "mined and reverted"
        cost = f"{each['gas_used']} gas at {each['gas_price_wei']} wei"
        yield f"      {how} in block {each['block_number']}: {cost}"
