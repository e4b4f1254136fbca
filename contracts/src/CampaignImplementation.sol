// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {CampaignFactory} from "./CampaignFactory.sol";
import {IssuerRegistry} from "./IssuerRegistry.sol";
import {Setup, Status, Terms, checkAddress, checkId} from "./Types.sol";

/// @title A campaign and its escrow
/// @notice One clone per campaign. It holds everything raised until the issuer or the investors get it; nothing loops
/// over investors. Its roles are the factory's.
contract CampaignImplementation is Pausable, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @notice The factory of every clone of this implementation.
    CampaignFactory public immutable factory;

    /// @notice An investment as it was accepted.
    struct Investment {
        address investor;
        uint256 amount;
    }

    Terms private _terms;
    Setup private _setup;
    bool private _initialized;
    /// @notice Where the campaign stands.
    Status public status;
    /// @notice Whether the issuer has been paid.
    bool public released;
    /// @notice How many wallets invested.
    uint32 public investorCount;
    /// @notice How many investors were paid back.
    uint32 public refundedCount;
    /// @notice Everything accepted so far; it never falls.
    uint256 public raised;
    /// @notice What the campaign still owes to issuer, investors and fee recipient.
    uint256 public escrowBalance;
    /// @notice The fee that was credited and not withdrawn yet.
    uint256 public feeOwed;
    /// @notice What a wallet put in, also after its refund.
    mapping(address investor => uint256 amount) public contributionOf;
    /// @notice Whether a wallet was paid back.
    mapping(address investor => bool) public isRefunded;
    /// @notice An investment by its id; investor zero: none.
    mapping(bytes32 investmentId => Investment) public investment;

    /// @notice An investment was accepted; the totals are those after it.
    event InvestmentRecorded(
        bytes32 indexed investmentId,
        address indexed investor,
        address indexed payer,
        uint256 amount,
        bytes32 paymentReference,
        uint256 investorTotal,
        uint256 totalRaised,
        uint256 escrowBalance,
        uint32 investorCount
    );
    /// @notice The campaign ended: 1 successful, 2 failed.
    event CampaignFinalized(uint8 status, uint256 totalRaised, uint32 investorCount);
    /// @notice The campaign was called off.
    event CampaignCancelled(string reason, uint256 totalRaised, uint32 investorCount);
    /// @notice The issuer was paid and the fee credited; the escrow still holds the fee.
    event FundsReleased(
        address indexed issuer, uint256 amount, uint256 fee, address feeRecipient, uint256 escrowBalance
    );
    /// @notice An investor was paid back in full.
    event InvestorRefunded(
        address indexed investor, uint256 amount, uint256 escrowBalance, uint32 investorsRemaining
    );
    /// @notice The fee was paid.
    event FeeWithdrawn(address indexed feeRecipient, uint256 amount, uint256 escrowBalance);
    /// @notice Tokens sent by mistake went to the treasury.
    event Swept(address indexed treasury, uint256 amount);

    /// @notice This contract was initialised, or is the implementation itself.
    error AlreadyInitialized();
    /// @notice The caller is not the factory.
    error NotFactory(address caller);
    /// @notice The caller lacks the factory's role.
    error MissingRole(address caller, bytes32 role);
    /// @notice The campaign's state does not allow this.
    error WrongStatus(Status status);
    /// @notice The time for this has passed.
    error TooLate(uint64 until);
    /// @notice The goal is not reached and the campaign is not over.
    error NotOver(uint64 recordUntil);
    /// @notice The goal is reached.
    error GoalReached();
    /// @notice The wallet may not invest on chain.
    error InvestorNotVerified(address investor);
    /// @notice The investment exists already.
    error InvestmentExists(bytes32 investmentId);
    /// @notice An amount of zero.
    error ZeroAmount();
    /// @notice The amount is below the minimum, and not what is missing to the goal.
    error BelowMinimum(uint256 amount, uint256 minimum);
    /// @notice The investor's investments together would exceed the maximum.
    error AboveMaximum(uint256 investorTotal, uint256 maximum);
    /// @notice The token delivered another amount than was sent.
    error TokenTookFee(uint256 received, uint256 expected);
    /// @notice The issuer was paid already.
    error AlreadyReleased();
    /// @notice The investor was paid back already.
    error AlreadyRefunded(address investor);
    /// @notice The wallet never invested here.
    error NothingToRefund(address investor);
    /// @notice No fee is owed.
    error NoFee();
    /// @notice Nothing exceeds the escrow.
    error NothingToSweep();

    modifier onlyFactoryRole(bytes32 role) {
        if (!factory.hasRole(role, msg.sender)) revert MissingRole(msg.sender, role);
        _;
    }

    /// @param factory_ the factory that will clone this
    constructor(CampaignFactory factory_) {
        checkAddress(address(factory_));
        factory = factory_;
        _initialized = true;
    }

    /// @notice Set the terms; by the factory, in the transaction that creates the clone.
    function initialize(Terms calldata terms_, Setup calldata setup_) external {
        if (_initialized) revert AlreadyInitialized();
        if (msg.sender != address(factory)) revert NotFactory(msg.sender);
        _initialized = true;
        _terms = terms_;
        _setup = setup_;
    }

    /// @notice Invest the caller's tokens until the deadline.
    /// @param nonce any value, once per investor; `investmentIdOf` gives the id
    /// @param amount the most to invest; cut to what is missing to the goal
    function invest(bytes32 nonce, uint256 amount) external nonReentrant whenNotPaused {
        if (!registry().isVerifiedInvestor(msg.sender)) revert InvestorNotVerified(msg.sender);
        bytes32 investmentId = investmentIdOf(msg.sender, nonce);
        uint256 accepted = _accept(investmentId, msg.sender, amount, _setup.deadline);
        uint256 before = token().balanceOf(address(this));
        token().safeTransferFrom(msg.sender, address(this), accepted);
        _checkReceived(before, accepted);
        _emitRecorded(investmentId, msg.sender, msg.sender, accepted, 0);
    }

    /// @notice Record money that came by bank or mobile money, with tokens from the treasury, until `recordUntil`.
    /// @param investmentId the investment's UUID, then zeros
    /// @param investor whose investment it is
    /// @param amount what was paid; cut to what is missing to the goal
    /// @param paymentReference names the payment; accepted once in all campaigns
    function recordInvestment(bytes32 investmentId, address investor, uint256 amount, bytes32 paymentReference)
        external
        nonReentrant
        whenNotPaused
        onlyFactoryRole(factory.OPERATOR_ROLE())
    {
        checkId(investmentId);
        checkAddress(investor);
        uint256 accepted = _accept(investmentId, investor, amount, _setup.recordUntil);
        uint256 before = token().balanceOf(address(this));
        address payer = factory.treasury();
        factory.pull(accepted, investmentId, paymentReference);
        _checkReceived(before, accepted);
        _emitRecorded(investmentId, investor, payer, accepted, paymentReference);
    }

    /// @notice End the campaign once the goal is reached or `recordUntil` has passed; by anyone.
    function finalize() external nonReentrant {
        _checkStatus(Status.Active);
        if (raised < _terms.fundingGoal && block.timestamp <= _setup.recordUntil) revert NotOver(_setup.recordUntil);
        bool successful = raised * 10_000 >= _terms.fundingGoal * _terms.successThresholdBps;
        status = successful ? Status.Successful : Status.Failed;
        registry().unlock(issuer());
        emit CampaignFinalized(uint8(status), raised, investorCount);
    }

    /// @notice Call the campaign off while it is active; investors are refunded.
    function cancel(string calldata reason) external nonReentrant onlyFactoryRole(0x00) {
        _checkStatus(Status.Active);
        status = Status.Cancelled;
        registry().unlock(issuer());
        emit CampaignCancelled(reason, raised, investorCount);
    }

    /// @notice Pay the issuer's current wallet everything less the fee, once; by anyone.
    function releaseFunds() external nonReentrant {
        _checkStatus(Status.Successful);
        if (released) revert AlreadyReleased();
        released = true;
        uint256 fee = raised * _setup.feeBps / 10_000;
        uint256 amount = raised - fee;
        feeOwed = fee;
        escrowBalance = fee;
        address to = issuer();
        token().safeTransfer(to, amount);
        emit FundsReleased(to, amount, fee, _setup.feeRecipient, fee);
    }

    /// @notice Pay the credited fee to its recipient; by anyone.
    function withdrawFee() external nonReentrant {
        uint256 amount = feeOwed;
        if (amount == 0) revert NoFee();
        feeOwed = 0;
        escrowBalance -= amount;
        token().safeTransfer(_setup.feeRecipient, amount);
        emit FeeWithdrawn(_setup.feeRecipient, amount, escrowBalance);
    }

    /// @notice Pay an investor of a failed or cancelled campaign back in full, once; by anyone.
    function refund(address investor) external nonReentrant {
        if (status != Status.Failed && status != Status.Cancelled) revert WrongStatus(status);
        uint256 amount = contributionOf[investor];
        if (amount == 0) revert NothingToRefund(investor);
        if (isRefunded[investor]) revert AlreadyRefunded(investor);
        isRefunded[investor] = true;
        refundedCount += 1;
        escrowBalance -= amount;
        token().safeTransfer(investor, amount);
        emit InvestorRefunded(investor, amount, escrowBalance, investorCount - refundedCount);
    }

    /// @notice Stop investing and recording; nothing else.
    function pause() external onlyFactoryRole(0x00) {
        _pause();
    }

    /// @notice Allow investing and recording again.
    function unpause() external onlyFactoryRole(0x00) {
        _unpause();
    }

    /// @notice Send what exceeds the escrow, tokens sent by mistake, to the treasury; by anyone.
    function sweep() external nonReentrant {
        uint256 amount = token().balanceOf(address(this)) - escrowBalance;
        if (amount == 0) revert NothingToSweep();
        address treasury = factory.treasury();
        token().safeTransfer(treasury, amount);
        emit Swept(treasury, amount);
    }

    /// @notice The terms as they were created; the issuer's wallet may have been replaced since, see `issuer`.
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @notice What the factory fixed at creation.
    function setup() external view returns (Setup memory) {
        return _setup;
    }

    /// @notice The campaign's id.
    function campaignId() external view returns (bytes32) {
        return _terms.campaignId;
    }

    /// @notice The id of an investment made by `invest`: keccak256 of campaign, investor and nonce.
    function investmentIdOf(address investor, bytes32 nonce) public view returns (bytes32) {
        return keccak256(abi.encode(address(this), investor, nonce));
    }

    /// @notice The company's current wallet.
    function issuer() public view returns (address) {
        return registry().issuerOf(_setup.companyId);
    }

    /// @notice The token that is raised.
    function token() public view returns (IERC20) {
        return IERC20(_setup.token);
    }

    /// @notice The factory's registry.
    function registry() public view returns (IssuerRegistry) {
        return factory.registry();
    }

    /// @dev Checks and books an investment before any token moves; returns the accepted part.
    function _accept(bytes32 investmentId, address investor, uint256 amount, uint64 until)
        private
        returns (uint256 accepted)
    {
        _checkStatus(Status.Active);
        if (block.timestamp > until) revert TooLate(until);
        if (investment[investmentId].investor != address(0)) revert InvestmentExists(investmentId);
        if (amount == 0) revert ZeroAmount();
        uint256 missing = _terms.fundingGoal - raised;
        if (missing == 0) revert GoalReached();
        accepted = amount < missing ? amount : missing;
        if (accepted < _terms.minInvestment && accepted != missing) {
            revert BelowMinimum(accepted, _terms.minInvestment);
        }
        uint256 total = contributionOf[investor] + accepted;
        if (_terms.maxInvestment != 0 && total > _terms.maxInvestment) {
            revert AboveMaximum(total, _terms.maxInvestment);
        }
        if (total == accepted) investorCount += 1;
        investment[investmentId] = Investment(investor, accepted);
        contributionOf[investor] = total;
        raised += accepted;
        escrowBalance += accepted;
    }

    function _checkReceived(uint256 before, uint256 expected) private view {
        uint256 received = token().balanceOf(address(this)) - before;
        if (received != expected) revert TokenTookFee(received, expected);
    }

    function _emitRecorded(
        bytes32 investmentId,
        address investor,
        address payer,
        uint256 amount,
        bytes32 paymentReference
    ) private {
        emit InvestmentRecorded(
            investmentId,
            investor,
            payer,
            amount,
            paymentReference,
            contributionOf[investor],
            raised,
            escrowBalance,
            investorCount
        );
    }

    function _checkStatus(Status expected) private view {
        if (status != expected) revert WrongStatus(status);
    }
}
