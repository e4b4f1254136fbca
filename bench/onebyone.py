"""The plain way to write: build, sign, send, wait for the receipt, and only then the next one.

`python -m bench.onebyone NODE_URL CAMPAIGN INVESTOR COUNT KEY_VARIABLE` prints the seconds.
"""

import json
import os
import sys
import time
import uuid

from eth_account import Account
from web3 import Web3

from bench.node import ARTIFACTS

POLL_SECONDS = 0.1


def main(node: str, campaign: str, investor: str, count: int, variable: str) -> float:
    """Seconds for `count` recorded investments, each waited for."""
    web3 = Web3(Web3.HTTPProvider(node))
    account = Account.from_key(os.environ[variable])
    abi = json.loads((ARTIFACTS / "CampaignImplementation.json").read_text())["abi"]
    contract = web3.eth.contract(address=web3.to_checksum_address(campaign), abi=abi)
    who = web3.to_checksum_address(investor)
    began = time.monotonic()
    for _ in range(count):
        call = contract.functions.recordInvestment(
            uuid.uuid4().bytes + bytes(16), who, 1000, uuid.uuid4().bytes + bytes(16)
        )
        nonce = web3.eth.get_transaction_count(account.address)
        built = call.build_transaction({"from": account.address, "nonce": nonce})
        sent = web3.eth.send_raw_transaction(account.sign_transaction(built).raw_transaction)
        receipt = web3.eth.wait_for_transaction_receipt(sent, 60, POLL_SECONDS)
        if receipt["status"] != 1:
            raise RuntimeError(f"reverted: {receipt}")
    return time.monotonic() - began


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:4], int(sys.argv[4]), sys.argv[5])))
