// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {checkAddress, checkId} from "./Types.sol";

/// @title Who may raise money, and who may invest
/// @notice One entry per company and per wallet, one active campaign at a time, and the list of verified investors.
/// DEFAULT_ADMIN_ROLE is the platform's ADMIN.
contract IssuerRegistry is AccessControl {
    /// @notice May register, replace and suspend issuers, and verify investors.
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    /// @notice A company's entry.
    struct Issuer {
        bytes32 companyId;
        bytes32 credentialHash;
        string documentURI;
        bool active;
        address campaign;
    }

    /// @notice The factory, which alone may lock an issuer.
    address public factory;
    /// @notice The company's current wallet; zero: not registered.
    mapping(bytes32 companyId => address issuer) public issuerOf;
    /// @notice Whether this wallet may invest on chain.
    mapping(address investor => bool verified) public isVerifiedInvestor;
    mapping(address issuer => Issuer) private _issuers;

    /// @notice A company was registered; it is active.
    event IssuerRegistered(
        bytes32 indexed companyId, address indexed issuer, bytes32 credentialHash, string documentURI
    );
    /// @notice A company's wallet was replaced; its other values stay.
    event IssuerReplaced(bytes32 indexed companyId, address indexed oldIssuer, address indexed newIssuer);
    /// @notice A company's document changed.
    event IssuerDocumentUpdated(bytes32 indexed companyId, address indexed issuer, string documentURI);
    /// @notice A company was suspended (false) or reinstated (true).
    event IssuerStatusChanged(bytes32 indexed companyId, address indexed issuer, bool active);
    /// @notice A company's active campaign; zero: free.
    event IssuerCampaignChanged(bytes32 indexed companyId, address indexed issuer, address campaign);
    /// @notice A wallet may now invest (true) or not (false).
    event InvestorStatusChanged(address indexed investor, bool verified);
    /// @notice The factory changed.
    event FactoryChanged(address indexed factory);

    /// @notice The company is registered already.
    error CompanyExists(bytes32 companyId);
    /// @notice The wallet is another company's already.
    error WalletTaken(address issuer);
    /// @notice Nobody is registered under this company.
    error UnknownCompany(bytes32 companyId);
    /// @notice The wallet is not an issuer's.
    error UnknownIssuer(address issuer);
    /// @notice The issuer is suspended.
    error IssuerSuspended(address issuer);
    /// @notice The issuer has an active campaign.
    error IssuerBusy(address issuer, address campaign);
    /// @notice The caller is neither a registrar nor this issuer.
    error NotRegistrarOrIssuer(address caller);
    /// @notice The caller is not the factory.
    error NotFactory(address caller);
    /// @notice The caller is not this issuer's active campaign.
    error NotActiveCampaign(address caller);

    /// @param admin the first holder of ADMIN
    constructor(address admin) {
        checkAddress(admin);
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice Register a company under its wallet.
    /// @param companyId the company's UUID, then zeros
    /// @param issuer its wallet
    /// @param credentialHash the hash of its proof of identity
    /// @param documentURI where its profile is
    function registerIssuer(bytes32 companyId, address issuer, bytes32 credentialHash, string calldata documentURI)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        checkId(companyId);
        if (issuerOf[companyId] != address(0)) revert CompanyExists(companyId);
        _checkFree(issuer);
        issuerOf[companyId] = issuer;
        _issuers[issuer] = Issuer(companyId, credentialHash, documentURI, true, address(0));
        emit IssuerRegistered(companyId, issuer, credentialHash, documentURI);
    }

    /// @notice Give a company another wallet, for a lost key. What a campaign releases later goes there.
    function replaceIssuer(bytes32 companyId, address newWallet) external onlyRole(REGISTRAR_ROLE) {
        address oldWallet = issuerOf[companyId];
        if (oldWallet == address(0)) revert UnknownCompany(companyId);
        _checkFree(newWallet);
        issuerOf[companyId] = newWallet;
        _issuers[newWallet] = _issuers[oldWallet];
        delete _issuers[oldWallet];
        emit IssuerReplaced(companyId, oldWallet, newWallet);
    }

    /// @notice Change where an issuer's profile is; by a registrar or the issuer.
    function updateDocument(address issuer, string calldata documentURI) external {
        Issuer storage entry = _entry(issuer);
        if (msg.sender != issuer && !hasRole(REGISTRAR_ROLE, msg.sender)) revert NotRegistrarOrIssuer(msg.sender);
        entry.documentURI = documentURI;
        emit IssuerDocumentUpdated(entry.companyId, issuer, documentURI);
    }

    /// @notice Suspend or reinstate an issuer. Its running campaign ends, releases and refunds as ever.
    function setActive(address issuer, bool active) external onlyRole(REGISTRAR_ROLE) {
        Issuer storage entry = _entry(issuer);
        entry.active = active;
        emit IssuerStatusChanged(entry.companyId, issuer, active);
    }

    /// @notice Say whether a wallet may invest on chain.
    function setInvestor(address investor, bool verified) external onlyRole(REGISTRAR_ROLE) {
        checkAddress(investor);
        isVerifiedInvestor[investor] = verified;
        emit InvestorStatusChanged(investor, verified);
    }

    /// @notice Set the factory.
    function setFactory(address newFactory) external onlyRole(DEFAULT_ADMIN_ROLE) {
        checkAddress(newFactory);
        factory = newFactory;
        emit FactoryChanged(newFactory);
    }

    /// @notice Note the issuer's active campaign; by the factory.
    /// @return companyId the issuer's company
    function lock(address issuer, address campaign) external returns (bytes32 companyId) {
        if (msg.sender != factory) revert NotFactory(msg.sender);
        Issuer storage entry = _entry(issuer);
        if (!entry.active) revert IssuerSuspended(issuer);
        if (entry.campaign != address(0)) revert IssuerBusy(issuer, entry.campaign);
        entry.campaign = campaign;
        companyId = entry.companyId;
        emit IssuerCampaignChanged(companyId, issuer, campaign);
    }

    /// @notice Free the issuer; by its active campaign, at its end.
    function unlock(address issuer) external {
        Issuer storage entry = _issuers[issuer];
        if (entry.campaign != msg.sender) revert NotActiveCampaign(msg.sender);
        entry.campaign = address(0);
        emit IssuerCampaignChanged(entry.companyId, issuer, address(0));
    }

    /// @notice Whether the wallet is a registered issuer's that is not suspended.
    function isActive(address issuer) external view returns (bool) {
        return _issuers[issuer].active;
    }

    /// @notice The issuer's running campaign; zero: none.
    function activeCampaignOf(address issuer) external view returns (address) {
        return _issuers[issuer].campaign;
    }

    /// @notice The whole entry of a wallet; empty: not an issuer's.
    function issuerDetails(address issuer) external view returns (Issuer memory) {
        return _issuers[issuer];
    }

    function _entry(address issuer) private view returns (Issuer storage entry) {
        entry = _issuers[issuer];
        if (entry.companyId == 0) revert UnknownIssuer(issuer);
    }

    function _checkFree(address wallet) private view {
        checkAddress(wallet);
        if (_issuers[wallet].companyId != 0) revert WalletTaken(wallet);
    }
}
