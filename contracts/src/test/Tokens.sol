// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Takes one unit of every transfer.
contract FeeToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {}

    /// @notice Anyone mints.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) {
            super._update(from, address(0), 1);
            amount -= 1;
        }
        super._update(from, to, amount);
    }
}

/// @notice Calls back into a target at every transfer, once armed, and reverts with what the target reverts with.
contract ReentrantToken is ERC20 {
    address private _target;
    bytes private _data;

    constructor() ERC20("Reentrant", "RE") {}

    /// @notice Anyone mints.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Call this from the next transfers.
    function arm(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_target == address(0) || from == address(0)) return;
        (bool ok, bytes memory answer) = _target.call(_data);
        if (!ok) {
            assembly {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

/// @notice Refuses to pay one account.
contract BlockingToken is ERC20 {
    address private _blocked;

    /// @notice The account is blocked.
    error Blocked();

    constructor() ERC20("Blocking", "BLK") {}

    /// @notice Anyone mints.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Block an account.
    function setBlocked(address account) external {
        _blocked = account;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (to != address(0) && to == _blocked) revert Blocked();
        super._update(from, to, amount);
    }
}
