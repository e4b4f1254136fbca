# ruff: noqa: E501 (the wordings as nodes write them)
"""Every known answer to a send falls into its class, traps included; every class has one reaction."""

import pytest
from chainfirst.writers import answers
from chainfirst.writers.answers import Class, Reaction
from hypothesis import given
from hypothesis import strategies as st

LOW, HIGH, KNOWN, REPLACEMENT = (
    Class.NONCE_TOO_LOW,
    Class.NONCE_TOO_HIGH,
    Class.ALREADY_KNOWN,
    Class.REPLACEMENT_UNDERPRICED,
)
PRICE, FULL, FUNDS, GAS = Class.UNDERPRICED, Class.POOL_FULL, Class.INSUFFICIENT_FUNDS, Class.GAS
CAP, CHAIN, REFUSED = Class.FEE_CAP, Class.WRONG_CHAIN, Class.NOT_PERMITTED
REVERTED, UNKNOWN = Class.REVERTED, Class.UNKNOWN
HASH, ADDRESS = "0x" + "ab" * 32, "0x" + "cd" * 20

# text, code, class
CASES: list[tuple[str, int, Class]] = [
    # the nonce is mined
    ("nonce too low", -32000, LOW),
    ("nonce too low", -32003, LOW),  # anvil
    (f"nonce too low: address {ADDRESS}, tx: 11 state: 13", -32000, LOW),
    ("nonce too low: next nonce 13, tx nonce 11", -32000, LOW),
    (f"nonce too low: address {ADDRESS} current nonce (13) > tx nonce (11)", -32000, LOW),
    ("Nonce too low", -32001, LOW),  # Besu
    ("NONCE_TOO_LOW", -32000, LOW),
    ("OldNonce, Current nonce: 22, nonce of rejected tx: 17", -32010, LOW),
    ("Transaction nonce is too low. Try incrementing the nonce.", -32010, LOW),
    (
        "Nonce too low. Expected nonce to be 54 but got 53. Note that transactions can't be queued when automining.",
        -32000,
        LOW,
    ),
    ("the tx doesn't have the correct nonce. account has nonce of: 24 tx has nonce of: 23", -32000, LOW),
    ("invalid transaction nonce", -32000, LOW),
    ("nonce too low. allowed nonce range: 427 - 447, actual: 426", 3, LOW),
    ("submit transaction to pool failed: Pool(Stale)", -32603, LOW),
    ("InvalidTransaction(InvalidTransaction::Stale)", -32603, LOW),
    ("Nonce too low. Provided nonce: 15, current nonce: 15", 32001, LOW),
    ("nonce has already been used", 0, LOW),
    ("transaction nonce 4 does not match sender account nonce 5", -32000, LOW),
    ("transaction already finalized", -32000, LOW),
    ("mined", -32000, LOW),
    ("", -38010, LOW),
    ("", 1, LOW),
    # one before it is missing
    ("nonce too high", -32000, HIGH),
    ("Nonce too high. Expected nonce to be 0 but got 1. Note that transactions can't be queued when automining.", -32000, HIGH),
    ("the tx doesn't have the correct nonce. account has nonce of: 24 tx has nonce of: 26", -32000, HIGH),
    ("nonce too high. allowed nonce range: 0 - 20, actual: 26", 3, HIGH),
    ("nonce too far in the future", -32000, HIGH),
    ("nonce too far in future", -32000, HIGH),
    ("Transaction nonce is too distant from current sender nonce", -32006, HIGH),
    ("tx nonce exceeds next nonce", -32000, HIGH),
    ("NonceGap, Future nonce. Expected nonce: 10", -32010, HIGH),
    ("nonce out of range", -32000, HIGH),
    ("submit transaction to pool failed: Pool(Future)", -32603, HIGH),
    ("gapped-nonce tx from delegated accounts", -32000, HIGH),
    ("future transaction tries to replace pending", -32000, HIGH),
    ("invalid nonce; got 7, expected 5: invalid sequence: invalid sequence", -32000, HIGH),
    ("", -38011, HIGH),
    ("", 2, HIGH),
    # in the pool already
    ("already known", -32000, KNOWN),
    (f"known transaction: {HASH[2:]}", -32000, KNOWN),
    ("Known transaction", -32000, KNOWN),
    (f"known transaction. transaction with hash {HASH} is already in the system", 3, KNOWN),
    ("AlreadyKnown", -32010, KNOWN),
    ("alreadyknown", -32010, KNOWN),
    ("Transaction with the same hash was already imported.", -32010, KNOWN),
    ("transaction already imported", -32003, KNOWN),  # anvil
    (f"[{HASH}] Already imported", -32000, KNOWN),
    ("submit transaction to pool failed: Pool(AlreadyImported)", -32603, KNOWN),
    ("tx already exists in cache", -32000, KNOWN),
    ("already in the mempool", -32000, KNOWN),
    ("already have transaction", -32000, KNOWN),
    ("already exists in mempool", -32000, KNOWN),
    ("tx already in mempool", -32000, KNOWN),
    ("existing tx with same hash", -32000, KNOWN),
    ("existing txn with same hash", -32000, KNOWN),
    ("INTERNAL_ERROR: already known", -32603, KNOWN),
    ("transaction was already submitted", -32603, KNOWN),
    ("", 1000, KNOWN),
    # another holds the nonce in the pool
    ("replacement transaction underpriced", -32000, REPLACEMENT),
    ("replacement transaction underpriced", -32003, REPLACEMENT),  # anvil 1.7
    ("replacement transaction underpriced: new tx gas fee cap 30 <= 45 queued", -32000, REPLACEMENT),
    ("Replacement transaction underpriced", -32000, REPLACEMENT),
    ("replacement tx underpriced", -32600, REPLACEMENT),  # Polygon Edge
    ("tx with the same nonce is already present", -32600, REPLACEMENT),
    ("there is another tx which has the same nonce in the tx pool", -32000, REPLACEMENT),
    ("insufficient gas price to replace existing transaction", -32003, REPLACEMENT),
    (f"[{HASH}]: insufficient gas price to replace existing transaction.", -32000, REPLACEMENT),
    (
        "Transaction gas price 1 wei is too low. There is another transaction with same nonce in the queue with gas price: 2 wei. Try increasing the gas price or incrementing the nonce.",
        -32010,
        REPLACEMENT,
    ),
    ("An existing transaction had higher priority", -32000, REPLACEMENT),
    ("newer transaction had higher priority", -32000, REPLACEMENT),
    ("OwnNonceAlreadyUsed", -32010, REPLACEMENT),
    ("ReplacementNotAllowed", -32010, REPLACEMENT),
    ("could not replace existing tx", -32000, REPLACEMENT),
    ("INTERNAL_ERROR: could not replace existing tx", -32000, REPLACEMENT),
    ("replaced by transaction with higher tip", -32000, REPLACEMENT),
    ("submit transaction to pool failed: Pool(TooLowPriority { old: 1, new: 1 })", -32603, REPLACEMENT),
    # too cheap
    ("transaction underpriced", -32000, PRICE),
    ("transaction underpriced: tip needed 30000000000, tip permitted 1", -32000, PRICE),
    ("transaction gas price below minimum: gas tip cap 1, minimum needed 25000000000", -32000, PRICE),
    ("Gas price below configured minimum gas price", -32009, PRICE),
    ("Gas price below current base fee", -32009, PRICE),
    ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7, MaxPriorityFeePerGas:1, Block number: 5", -32010, PRICE),
    ("FeeTooLow, EffectivePriorityFeePerGas too low 1 < 7, BaseFee: 3", -32010, PRICE),
    ("FeeTooLowToCompete", -32010, PRICE),
    (f"max fee per gas less than block base fee: address {ADDRESS}, maxFeePerGas: 1, baseFee: 7", -32000, PRICE),
    ("max fee per gas less than block base fee", -32003, PRICE),
    ("gas price less than block base fee", -32000, PRICE),
    ("fee cap less than block base fee", -32000, PRICE),
    ("gas price too low", -32000, PRICE),
    ("gas price too low: 1 wei, use at least tx.gasPrice = 9 wei", -32000, PRICE),
    (
        "Transaction gas price is too low. It does not satisfy your node's minimal gas price (minimal: 9 got: 1). Try increasing the gas price.",
        -32010,
        PRICE,
    ),
    ("Transaction fee too low", -32000, PRICE),
    (f"[{HASH}] Transaction feeCap 5 below chain minimum.", -32000, PRICE),
    ("gasprice is less than gas price minimum floor", -32000, PRICE),
    ("underpriced", -32000, PRICE),
    ("rejected", -32000, PRICE),
    ("max priority fee per gas higher than max fee per gas", -32000, PRICE),
    ("", 806, PRICE),
    ("", -38012, PRICE),
    # no room
    ("txpool is full", -32000, FULL),
    ("queue full", -32000, FULL),
    ("sequencer pending tx pool full, please try again", -32000, FULL),
    (
        "There are too many transactions in the queue. Your transaction was dropped due to limit. Try increasing the fee.",
        -32010,
        FULL,
    ),
    ("maximum number of enqueued transactions reached", -32600, FULL),
    ("rejected future tx due to low slots", -32600, FULL),
    ("account limit exceeded", -32000, FULL),
    ("account limit exceeded: pooled 16 txs, limit 16", -32000, FULL),
    ("baseFee sub-pool is full", -32000, FULL),
    (f"[{HASH}] Transaction discarded outright due to pool size constraints.", -32000, FULL),
    (f"{ADDRESS} identified as spammer. Transaction {HASH} rejected.", -32000, FULL),
    ("in-flight transaction limit reached for delegated accounts", -32000, FULL),
    ("address already reserved", -32000, FULL),
    ("pending transaction type conflict", -32000, FULL),
    # no funds
    ("insufficient funds for gas * price + value", -32000, FUNDS),
    (f"insufficient funds for gas * price + value: address {ADDRESS} have 1 want 2", -32000, FUNDS),
    ("insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1", -32000, FUNDS),
    ("insufficient funds for transfer", -32000, FUNDS),
    ("Upfront cost exceeds account balance", -32004, FUNDS),
    ("InsufficientFunds, Account balance: 1, cumulative cost: 2", -32010, FUNDS),
    ("InsufficientFunds, Balance is 1 less than sending value + gas 2", -32010, FUNDS),
    ("Insufficient funds for gas * price + value", -32003, FUNDS),  # anvil
    ("transaction would cause overdraft", -32000, FUNDS),
    ("Signer had insufficient balance", -32000, FUNDS),
    (
        "Insufficient funds. The account you tried to send transaction from does not have enough funds. Required 2 and got: 1.",
        -32010,
        FUNDS,
    ),
    ("Sender doesn't have enough funds to send tx. The max upfront cost is: 2 and the sender's account only has: 1", -32000, FUNDS),
    ("", 809, FUNDS),
    ("", -38014, FUNDS),
    # gas or size
    ("intrinsic gas too low", -32000, GAS),
    ("intrinsic gas too low: gas 20000, minimum needed 21000", -32000, GAS),
    ("Intrinsic gas exceeds gas limit", -32003, GAS),
    ("IntrinsicGas", -32000, GAS),
    ("exceeds block gas limit", -32000, GAS),
    ("Transaction gas limit exceeds block gas limit", -32005, GAS),
    ("Transaction gas limit is 90 and exceeds block gas limit of 30", -32000, GAS),
    (f"[{HASH}] Transaction's gas limit 90 exceeds block's gas limit 30.", -32000, GAS),
    ("Transaction cost exceeds current gas limit. Limit: 1, got: 2. Try decreasing supplied gas.", -32010, GAS),
    (
        "Transaction gas is too low. There is not enough gas to cover minimal cost of the transaction (minimal: 2, got: 1). Try increasing supplied gas.",
        -32010,
        GAS,
    ),
    ("GasLimitExceeded, Gas limit: 1, gas limit of rejected tx: 2", -32010, GAS),
    ("gas limit reached", -32000, GAS),
    ("insufficient gas for floor data gas cost: gas 21000, minimum needed 22000", -32000, GAS),
    ("transaction gas limit too high (cap: 16777216, tx: 30000000)", -32000, GAS),
    ("oversized data", -32000, GAS),
    ("oversized data: transaction size 200000, limit 131072", -32000, GAS),
    ("transaction too large", -32000, GAS),
    ("gas uint64 overflow", -32000, GAS),
    ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", -32000, GAS),  # anvil
    ("max initcode size exceeded: code size 60000 limit 49152", -32000, GAS),
    ("", 800, GAS),
    ("", -38013, GAS),
    # dearer than the node lets it be
    ("tx fee (1.10 ether) exceeds the configured cap (1.00 ether)", -32000, CAP),
    ("tx fee (1.10 of currency celo) exceeds the configured cap (1.00 celo)", -32000, CAP),
    ("Transaction fee cap exceeded", -32000, CAP),
    ("max fee per gas higher than 2^256-1", -32000, CAP),
    # another chain, another kind of transaction
    ("invalid chain id for signer: have 1 want 2", -32000, CHAIN),
    ("invalid chain id for signer", -32003, CHAIN),  # anvil
    ("Wrong chainId", -32000, CHAIN),
    ("InvalidTxChainId", -32010, CHAIN),
    ("incorrect chain-id: chain id 1 does not match 2", -32000, CHAIN),
    ("only replay-protected (EIP-155) transactions allowed over RPC", -32000, CHAIN),
    ("transaction type not supported", -32000, CHAIN),
    ("unsupported transaction type", -32000, CHAIN),
    ("unknown transaction type", -32000, CHAIN),
    ("dynamic tx not allowed currently", -32600, CHAIN),
    ("invalid tx type", -32600, CHAIN),
    ("invalid sender", -32000, CHAIN),
    ("Invalid signature", -32002, CHAIN),  # Besu; elsewhere -32002 is a time-out
    ("rlp: input string too short for common.Address, decoding into (types.LegacyTx).To", -32000, CHAIN),
    ("failed to decode signed transaction", -32602, CHAIN),
    ("Failed to decode transaction", -32602, CHAIN),  # anvil
    (
        "EIP-1559 style fee params (maxFeePerGas or maxPriorityFeePerGas) received but they are not supported by the current hardfork. You can use them by running anvil with '--hardfork london' or later.",
        -32602,
        CHAIN,
    ),
    ("failed to recover sender", -32000, CHAIN),
    ("", 1001, CHAIN),
    # this sender may not send
    ("Sender account not authorized to send transactions", -32007, REFUSED),  # Besu
    ("Sender is banned in local queue.", -32010, REFUSED),
    ("Transaction is not permitted", -32010, REFUSED),
    ("sender not an eoa", -32000, REFUSED),
    ("forbidden sender address", -32000, REFUSED),
    # executed at once; a contract's words decide nothing
    ("execution reverted", 3, REVERTED),
    ("execution reverted: already known", 3, REVERTED),
    ("execution reverted: insufficient funds", -32000, REVERTED),
    (
        "VM Exception while processing transaction: reverted with reason string 'nonce too low'",
        -32603,
        REVERTED,
    ),
    ("VM Exception while processing transaction: revert", -32000, REVERTED),
    ("Error: Transaction reverted without a reason string", -32603, REVERTED),
    # not known whether it is in the pool
    ("unknown transaction", -32000, UNKNOWN),
    ("the tx doesn't have the correct nonce. account has nonce of: 24 tx has nonce of: 24", -32000, UNKNOWN),
    ("request timed out", -32002, UNKNOWN),
    ("", -32002, UNKNOWN),
    ("Internal error", -32603, UNKNOWN),
    ("", -32603, UNKNOWN),
    ("transaction was added to the mempool but wasn't processed within 20s.", 4, UNKNOWN),
    ("sender is over rate limit", -32017, UNKNOWN),
    ("project ID request rate exceeded", -32005, UNKNOWN),
    ("Your app has exceeded its compute units per second capacity", 429, UNKNOWN),
    ("limit exceeded", -32005, UNKNOWN),
    ("response too large", -32003, UNKNOWN),
    ("the method eth_sendRawTransaction does not exist/is not available", -32601, UNKNOWN),
    ("node is syncing", -32000, UNKNOWN),
    ('failed to decode the answer of the upstream {"chainId": 1}', -32603, UNKNOWN),
    ("header not found", -32000, UNKNOWN),
    ("unknown block", 3, UNKNOWN),
    ("", 0, UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "cls"), CASES)
def test_class(text: str, code: int, cls: Class) -> None:
    assert answers.classify(text, code) is cls
    assert answers.classify(f" {text.upper()} ", code) is cls


@pytest.mark.parametrize("code", range(-32009, -31999))
def test_codes_that_besu_uses_otherwise_decide_nothing(code: int) -> None:
    assert answers.classify("words of no row", code) is UNKNOWN
    assert answers.classify("already known", code) is KNOWN


def test_text_is_stronger_than_code() -> None:
    assert answers.classify("already known", 809) is KNOWN


def test_every_class_has_one_reaction_and_every_reaction_a_class() -> None:
    assert set(answers.REACTIONS) == set(Class)
    assert set(answers.REACTIONS.values()) == set(Reaction)
    assert all(answers.Answer(cls).reaction is answers.REACTIONS[cls] for cls in Class)


def test_every_class_but_the_accepted_one_is_tested() -> None:
    assert {cls for _, _, cls in CASES} == set(Class) - {Class.ACCEPTED}


def test_only_a_transaction_in_the_pool_counts_as_sent() -> None:
    sent = {cls for cls, reaction in answers.REACTIONS.items() if reaction is Reaction.SENT}
    assert sent == {Class.ACCEPTED, Class.ALREADY_KNOWN}


@given(st.text(), st.integers())
def test_any_words_have_a_class(text: str, code: int) -> None:
    assert answers.classify(text, code) in Class


@given(st.integers(0), st.integers(0))
def test_numbers_without_end(account: int, sent: int) -> None:
    text = f"account has nonce of: {account} tx has nonce of: {sent}"
    found = answers.classify(text)
    assert found is (UNKNOWN if account == sent else LOW if sent < account else HIGH) or account > 10**30
