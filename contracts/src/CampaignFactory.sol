// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {CampaignImplementation} from "./CampaignImplementation.sol";
import {IssuerRegistry} from "./IssuerRegistry.sol";
import {Setup, Terms, checkAddress, checkId} from "./Types.sol";

/// @title Makes campaigns, and keeps what they share
/// @notice Campaigns ask the factory for roles, so revoking one works everywhere at once. The treasury approves the
/// factory once; recorded investments are paid from it. DEFAULT_ADMIN_ROLE is the platform's ADMIN.
contract CampaignFactory is AccessControl {
    using SafeERC20 for IERC20;

    /// @notice May create campaigns and record investments.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    /// @notice The highest fee, in 1/10 000.
    uint16 public constant MAX_FEE_BPS = 1_000;

    /// @notice The issuers and verified investors.
    IssuerRegistry public immutable registry;
    /// @notice The token that campaigns raise.
    IERC20 public immutable token;

    /// @notice The contract that new campaigns are clones of.
    address public implementation;
    /// @notice Whose tokens stand for money that came by bank or mobile money.
    address public treasury;
    /// @notice Who gets the fee of new campaigns.
    address public feeRecipient;
    /// @notice The fee of new campaigns, in 1/10 000 of what is raised.
    uint16 public feeBps;

    /// @notice The campaign of an id; zero: none.
    mapping(bytes32 campaignId => address campaign) public campaignOf;
    /// @notice Whether this factory made that campaign.
    mapping(address campaign => bool) public isCampaign;
    /// @notice Whether a payment was recorded, in any campaign.
    mapping(bytes32 paymentReference => bool) public isPaymentUsed;
    /// @notice Whether an investment id was recorded, in any campaign.
    mapping(bytes32 investmentId => bool) public isInvestmentRecorded;

    /// @notice A campaign was created and takes investments until `deadline`, recorded ones until `recordUntil`.
    event CampaignCreated(
        bytes32 indexed campaignId,
        address indexed campaign,
        address indexed issuer,
        Terms terms,
        address token,
        uint16 feeBps,
        uint64 deadline,
        uint64 recordUntil
    );
    /// @notice New campaigns are clones of this from now on.
    event ImplementationChanged(address indexed implementation);
    /// @notice New campaigns pay this fee from now on.
    event FeeChanged(uint16 feeBps);
    /// @notice New campaigns pay their fee to this account from now on.
    event FeeRecipientChanged(address indexed feeRecipient);
    /// @notice Recorded investments are paid from this account from now on.
    event TreasuryChanged(address indexed treasury);

    /// @notice The campaign exists already.
    error CampaignExists(bytes32 campaignId);
    /// @notice The goal is zero or does not fit 128 bits.
    error InvalidGoal(uint256 fundingGoal);
    /// @notice The maximum is below the minimum.
    error InvalidLimits(uint256 minInvestment, uint256 maxInvestment);
    /// @notice The duration is not 1 to 365 days.
    error InvalidDuration(uint64 duration);
    /// @notice The grace is over 14 days.
    error InvalidGrace(uint64 grace);
    /// @notice The threshold is not 1 to 10 000.
    error InvalidThreshold(uint16 successThresholdBps);
    /// @notice The fee is over 10 %.
    error FeeTooHigh(uint16 feeBps);
    /// @notice No implementation is set, or it is not one of this factory's.
    error InvalidImplementation(address implementation);
    /// @notice The caller is not a campaign of this factory.
    error NotCampaign(address caller);
    /// @notice The payment reference is zero.
    error InvalidPaymentReference();
    /// @notice The payment was recorded already.
    error PaymentUsed(bytes32 paymentReference);
    /// @notice The investment was recorded already, here or in another campaign.
    error InvestmentRecordedBefore(bytes32 investmentId);

    /// @param admin the first holder of ADMIN
    /// @param registry_ the issuers and investors
    /// @param token_ what campaigns raise
    /// @param treasury_ pays recorded investments
    /// @param feeRecipient_ gets the fees
    /// @param feeBps_ the fee in 1/10 000
    constructor(
        address admin,
        IssuerRegistry registry_,
        IERC20 token_,
        address treasury_,
        address feeRecipient_,
        uint16 feeBps_
    ) {
        checkAddress(admin);
        checkAddress(address(registry_));
        checkAddress(address(token_));
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        registry = registry_;
        token = token_;
        _setTreasury(treasury_);
        _setFeeRecipient(feeRecipient_);
        _setFee(feeBps_);
    }

    /// @notice Create a campaign; its address follows from the implementation and the id.
    function createCampaign(Terms calldata terms) external onlyRole(OPERATOR_ROLE) returns (address campaign) {
        checkId(terms.campaignId);
        if (campaignOf[terms.campaignId] != address(0)) revert CampaignExists(terms.campaignId);
        if (implementation == address(0)) revert InvalidImplementation(address(0));
        if (terms.fundingGoal == 0 || terms.fundingGoal > type(uint128).max) revert InvalidGoal(terms.fundingGoal);
        if (terms.maxInvestment != 0 && terms.maxInvestment < terms.minInvestment) {
            revert InvalidLimits(terms.minInvestment, terms.maxInvestment);
        }
        if (terms.duration < 1 days || terms.duration > 365 days) revert InvalidDuration(terms.duration);
        if (terms.grace > 14 days) revert InvalidGrace(terms.grace);
        if (terms.successThresholdBps == 0 || terms.successThresholdBps > 10_000) {
            revert InvalidThreshold(terms.successThresholdBps);
        }

        campaign = Clones.cloneDeterministic(implementation, terms.campaignId);
        campaignOf[terms.campaignId] = campaign;
        isCampaign[campaign] = true;
        bytes32 companyId = registry.lock(terms.issuer, campaign);
        uint64 deadline = uint64(block.timestamp) + terms.duration;
        Setup memory setup =
            Setup(companyId, address(token), feeRecipient, feeBps, deadline, deadline + terms.grace);
        CampaignImplementation(campaign).initialize(terms, setup);
        emit CampaignCreated(
            terms.campaignId,
            campaign,
            terms.issuer,
            terms,
            setup.token,
            setup.feeBps,
            setup.deadline,
            setup.recordUntil
        );
    }

    /// @notice Move treasury tokens to the calling campaign for a payment; each payment and investment once.
    function pull(uint256 amount, bytes32 investmentId, bytes32 paymentReference) external {
        if (!isCampaign[msg.sender]) revert NotCampaign(msg.sender);
        checkId(investmentId);
        if (paymentReference == 0) revert InvalidPaymentReference();
        if (isInvestmentRecorded[investmentId]) revert InvestmentRecordedBefore(investmentId);
        if (isPaymentUsed[paymentReference]) revert PaymentUsed(paymentReference);
        isInvestmentRecorded[investmentId] = true;
        isPaymentUsed[paymentReference] = true;
        token.safeTransferFrom(treasury, msg.sender, amount);
    }

    /// @notice Set what new campaigns are clones of; it must have been made for this factory.
    function setImplementation(address newImplementation) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (
            newImplementation.code.length == 0
                || address(CampaignImplementation(newImplementation).factory()) != address(this)
        ) revert InvalidImplementation(newImplementation);
        implementation = newImplementation;
        emit ImplementationChanged(newImplementation);
    }

    /// @notice Set the fee of new campaigns, at most 1 000 (10 %).
    function setFee(uint16 newFeeBps) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setFee(newFeeBps);
    }

    /// @notice Set who gets the fee of new campaigns.
    function setFeeRecipient(address newFeeRecipient) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setFeeRecipient(newFeeRecipient);
    }

    /// @notice Set the treasury; it must approve the factory.
    function setTreasury(address newTreasury) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setTreasury(newTreasury);
    }

    function _setFee(uint16 newFeeBps) private {
        if (newFeeBps > MAX_FEE_BPS) revert FeeTooHigh(newFeeBps);
        feeBps = newFeeBps;
        emit FeeChanged(newFeeBps);
    }

    function _setFeeRecipient(address newFeeRecipient) private {
        checkAddress(newFeeRecipient);
        feeRecipient = newFeeRecipient;
        emit FeeRecipientChanged(newFeeRecipient);
    }

    function _setTreasury(address newTreasury) private {
        checkAddress(newTreasury);
        treasury = newTreasury;
        emit TreasuryChanged(newTreasury);
    }
}
