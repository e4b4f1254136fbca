// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice Emits events from its constructor on.
contract Sapling {
    /// @notice The `size`-th event of this contract.
    event Grew(address indexed by, uint256 size);

    uint256 private _size;

    constructor(uint256 events) {
        _grow(events);
    }

    /// @notice Emit `events` events.
    function grow(uint256 events) external {
        _grow(events);
    }

    function _grow(uint256 events) private {
        for (uint256 i = 0; i < events; ++i) {
            emit Grew(msg.sender, ++_size);
        }
    }
}

/// @notice A child that is a factory in its turn.
contract Tree is Sapling {
    /// @notice A child of this factory from here on.
    event Born(address indexed child);

    constructor(uint256 events) Sapling(events) {}

    /// @notice Create a child that emits `before` events in its constructor and `later` ones once announced.
    function bear(uint256 before, uint256 later) external {
        Sapling child = new Sapling(before);
        emit Born(address(child));
        child.grow(later);
    }
}

/// @notice A factory whose children emit events before, in and after their announcement.
contract Nursery {
    /// @notice A child of this factory from here on.
    event Born(address indexed child);

    /// @notice Create `children`; each emits `before` events in its constructor and `later` ones once announced.
    function bear(uint256 children, uint256 before, uint256 later) external {
        for (uint256 i = 0; i < children; ++i) {
            Tree child = new Tree(before);
            emit Born(address(child));
            child.grow(later);
        }
    }

    /// @notice Announce an address, whatever it is.
    function adopt(address child) external {
        emit Born(child);
    }
}
