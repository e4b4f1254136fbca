// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title ETB for development chains and tests
/// @notice 2 decimals: one unit is a santim. In production the real token's address is configured.
contract BirrToken is ERC20, AccessControl {
    /// @notice May mint.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");

    /// @param admin the first holder of ADMIN and MINTER
    constructor(address admin) ERC20("Ethiopian Birr", "ETB") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(MINTER_ROLE, admin);
    }

    /// @notice Make new tokens.
    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {
        _mint(to, amount);
    }

    /// @notice 100 santim are a birr.
    function decimals() public pure override returns (uint8) {
        return 2;
    }
}
