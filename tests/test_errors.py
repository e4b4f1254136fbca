"""The severities and their exit codes."""

from chainfirst.ops import errors


def test_message_carries_advice() -> None:
    error = errors.ConfigError("chain.chain_id is 5, the node says 1", "Correct chain.chain_id.")
    assert str(error) == "chain.chain_id is 5, the node says 1. Correct chain.chain_id."
    assert error.exit_code == 78


def test_passing_errors_exit_75() -> None:
    assert errors.TransientError("x").exit_code == errors.ResetError("x").exit_code == 75
    assert errors.FatalError("x").exit_code == 1
