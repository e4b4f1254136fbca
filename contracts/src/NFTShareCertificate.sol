// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {CampaignFactory} from "./CampaignFactory.sol";
import {CampaignImplementation} from "./CampaignImplementation.sol";
import {Status, checkAddress} from "./Types.sol";

/// @title Share certificates
/// @notice One ERC-721 token per investment of a successful campaign. Votes go with the token; a revoked one has none
/// and cannot move. DEFAULT_ADMIN_ROLE is the platform's ADMIN.
contract NFTShareCertificate is ERC721, AccessControl {
    /// @notice May mint.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice May move and revoke certificates.
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    /// @notice What to mint.
    struct Mint {
        address to;
        bytes32 investmentId;
        address campaign;
        bytes32 metadataHash;
    }

    /// @notice A certificate's record.
    struct Certificate {
        bytes32 investmentId;
        bytes32 metadataHash;
        uint256 amount;
        uint256 votingWeight;
        address campaign;
        uint32 transferCount;
        bool revoked;
    }

    /// @notice Whose campaigns have certificates.
    CampaignFactory public immutable factory;
    /// @notice How many token units give one vote.
    uint256 public immutable votingUnit;
    /// @notice How many certificates were minted; the newest one's number.
    uint256 public totalMinted;
    /// @notice The certificate of an investment; 0: none.
    mapping(bytes32 investmentId => uint256 tokenId) public tokenOfInvestment;
    /// @notice The votes of a wallet.
    mapping(address owner => uint256 weight) public votingWeightOf;
    mapping(uint256 tokenId => Certificate) private _certificates;
    string private _base;

    /// @notice A certificate was minted.
    event CertificateMinted(
        uint256 indexed tokenId,
        bytes32 indexed investmentId,
        bytes32 indexed campaignId,
        address owner,
        uint256 amount,
        uint256 votingWeight,
        bytes32 metadataHash
    );
    /// @notice A certificate changed hands, for the `transferCount`-th time.
    event CertificateTransferred(
        uint256 indexed tokenId, address indexed from, address indexed to, uint32 transferCount
    );
    /// @notice Why a registrar moved a certificate; follows its CertificateTransferred.
    event RegistrarTransferred(uint256 indexed tokenId, address indexed registrar, string reason);
    /// @notice A certificate lost its votes and stays where it is.
    event CertificateRevoked(uint256 indexed tokenId, address owner, uint256 votingWeight, string reason);
    /// @notice A wallet's votes after a change.
    event VotingWeightChanged(address indexed owner, uint256 weight);
    /// @notice The start of every token's URI changed.
    event BaseURIChanged(string baseURI);

    /// @notice The voting unit is zero.
    error InvalidVotingUnit();
    /// @notice The campaign is not the factory's.
    error UnknownCampaign(address campaign);
    /// @notice The campaign has not succeeded.
    error CampaignNotSuccessful(address campaign);
    /// @notice The campaign has no such investment.
    error UnknownInvestment(bytes32 investmentId);
    /// @notice The investment is another wallet's.
    error NotInvestor(address to, address investor);
    /// @notice The investment has its certificate.
    error CertificateExists(bytes32 investmentId);
    /// @notice The certificate was revoked.
    error CertificateIsRevoked(uint256 tokenId);

    /// @param admin the first holder of ADMIN
    /// @param factory_ whose campaigns have certificates
    /// @param votingUnit_ token units for one vote
    /// @param baseURI the start of every token's URI
    constructor(address admin, CampaignFactory factory_, uint256 votingUnit_, string memory baseURI)
        ERC721("Campaign Share Certificate", "SHARE")
    {
        checkAddress(admin);
        checkAddress(address(factory_));
        if (votingUnit_ == 0) revert InvalidVotingUnit();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        factory = factory_;
        votingUnit = votingUnit_;
        _base = baseURI;
        emit BaseURIChanged(baseURI);
    }

    /// @notice Mint the certificate of an investment to its investor.
    /// @param metadataHash the SHA-256 of the document at the token's URI
    function mint(address to, bytes32 investmentId, address campaign, bytes32 metadataHash)
        external
        onlyRole(MINTER_ROLE)
        returns (uint256 tokenId)
    {
        if (tokenOfInvestment[investmentId] != 0) revert CertificateExists(investmentId);
        return _mintCertificate(Mint(to, investmentId, campaign, metadataHash));
    }

    /// @notice Mint several; those that exist are skipped, anything else that is wrong reverts all.
    function mintBatch(Mint[] calldata mints) external onlyRole(MINTER_ROLE) {
        for (uint256 i = 0; i < mints.length; ++i) {
            if (tokenOfInvestment[mints[i].investmentId] == 0) _mintCertificate(mints[i]);
        }
    }

    /// @notice Move a certificate without its owner, for a lost key, an inheritance, a judgement.
    function registrarTransfer(uint256 tokenId, address to, string calldata reason) external onlyRole(REGISTRAR_ROLE) {
        _transfer(_requireOwned(tokenId), to, tokenId);
        emit RegistrarTransferred(tokenId, msg.sender, reason);
    }

    /// @notice Take a certificate's votes and keep it from moving, for good.
    function revoke(uint256 tokenId, string calldata reason) external onlyRole(REGISTRAR_ROLE) {
        address owner = _requireOwned(tokenId);
        Certificate storage record = _certificates[tokenId];
        if (record.revoked) revert CertificateIsRevoked(tokenId);
        record.revoked = true;
        emit CertificateRevoked(tokenId, owner, record.votingWeight, reason);
        _setWeight(owner, votingWeightOf[owner] - record.votingWeight);
    }

    /// @notice Set the start of every token's URI.
    function setBaseURI(string calldata baseURI) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _base = baseURI;
        emit BaseURIChanged(baseURI);
    }

    /// @notice A certificate's record; empty: none.
    function certificate(uint256 tokenId) external view returns (Certificate memory) {
        return _certificates[tokenId];
    }

    /// @notice The base URI and the investment's UUID; of an investment made on chain, its whole id in hexadecimal.
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        _requireOwned(tokenId);
        bytes32 id = _certificates[tokenId].investmentId;
        if (uint128(uint256(id)) != 0) return string.concat(_base, Strings.toHexString(uint256(id), 32));
        bytes memory digits = bytes(Strings.toHexString(uint256(id) >> 128, 16));
        bytes memory uuid = new bytes(36);
        uint256 from = 2;
        for (uint256 i = 0; i < 36; ++i) {
            uuid[i] = i == 8 || i == 13 || i == 18 || i == 23 ? bytes1("-") : digits[from++];
        }
        return string.concat(_base, string(uuid));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, AccessControl) returns (bool) {
        return super.supportsInterface(interfaceId);
    }

    function _mintCertificate(Mint memory wanted) private returns (uint256 tokenId) {
        if (!factory.isCampaign(wanted.campaign)) revert UnknownCampaign(wanted.campaign);
        CampaignImplementation campaign = CampaignImplementation(wanted.campaign);
        if (campaign.status() != Status.Successful) revert CampaignNotSuccessful(wanted.campaign);
        (address investor, uint256 amount) = campaign.investment(wanted.investmentId);
        if (investor == address(0)) revert UnknownInvestment(wanted.investmentId);
        if (wanted.to != investor) revert NotInvestor(wanted.to, investor);
        tokenId = ++totalMinted;
        uint256 weight = amount / votingUnit;
        tokenOfInvestment[wanted.investmentId] = tokenId;
        _certificates[tokenId] =
            Certificate(wanted.investmentId, wanted.metadataHash, amount, weight, wanted.campaign, 0, false);
        _mint(investor, tokenId);
        emit CertificateMinted(
            tokenId, wanted.investmentId, campaign.campaignId(), investor, amount, weight, wanted.metadataHash
        );
    }

    /// @dev Every mint and transfer passes here; votes follow the token.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        Certificate storage record = _certificates[tokenId];
        if (record.revoked) revert CertificateIsRevoked(tokenId);
        from = super._update(to, tokenId, auth);
        if (from != address(0)) {
            record.transferCount += 1;
            emit CertificateTransferred(tokenId, from, to, record.transferCount);
            _setWeight(from, votingWeightOf[from] - record.votingWeight);
        }
        _setWeight(to, votingWeightOf[to] + record.votingWeight);
    }

    function _setWeight(address owner, uint256 weight) private {
        votingWeightOf[owner] = weight;
        emit VotingWeightChanged(owner, weight);
    }
}
