// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice What a campaign promises; fixed when it is created.
/// @param campaignId the campaign's UUID, then 16 zero bytes
/// @param issuer the company's registered wallet
/// @param fundingGoal the most that is raised, in token units
/// @param minInvestment the least of one investment; the one that reaches the goal may be smaller
/// @param maxInvestment the most of one investor, all investments together; 0: no limit
/// @param duration seconds until investing ends, 1 to 365 days
/// @param grace seconds after that in which money from a bank may still be recorded, at most 14 days
/// @param successThresholdBps the part of the goal that makes the campaign successful, in 1/10 000
/// @param documentURI the offering's document
struct Terms {
    bytes32 campaignId;
    address issuer;
    uint256 fundingGoal;
    uint256 minInvestment;
    uint256 maxInvestment;
    uint64 duration;
    uint64 grace;
    uint16 successThresholdBps;
    string documentURI;
}

/// @notice What the factory fixes for a campaign beside its terms.
struct Setup {
    bytes32 companyId;
    address token;
    address feeRecipient;
    uint16 feeBps;
    uint64 deadline;
    uint64 recordUntil;
}

/// @notice A campaign's state. Successful stays so after the release, Failed and Cancelled after the refunds.
enum Status {
    Active,
    Successful,
    Failed,
    Cancelled
}

/// @notice The id is not a UUID's 16 bytes followed by 16 zero bytes.
error InvalidId(bytes32 id);
/// @notice An address that must not be zero is.
error ZeroAddress();

/// @dev Reverts unless `id` is a UUID's 16 bytes followed by zeros.
function checkId(bytes32 id) pure {
    if (id == 0 || uint128(uint256(id)) != 0) revert InvalidId(id);
}

/// @dev Reverts for the zero address.
function checkAddress(address account) pure {
    if (account == address(0)) revert ZeroAddress();
}
