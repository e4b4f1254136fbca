// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice Emits many ERC-20 transfers that never happened, for benchmarks.
contract Burst {
    /// @notice As ERC-20's.
    event Transfer(address indexed from, address indexed to, uint256 value);

    uint256 private _count;

    /// @notice Emit `n` transfers, each with other values.
    function emitBurst(uint256 n) external {
        uint256 count = _count;
        for (uint256 i = 0; i < n; ++i) {
            emit Transfer(address(uint160(count + 1)), address(uint160(count + 2)), count);
            ++count;
        }
        _count = count;
    }
}
