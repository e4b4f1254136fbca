// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {CampaignFactory} from "../CampaignFactory.sol";
import {CampaignImplementation} from "../CampaignImplementation.sol";
import {IssuerRegistry} from "../IssuerRegistry.sol";
import {NFTShareCertificate} from "../NFTShareCertificate.sol";
import {Terms} from "../Types.sol";

/// @notice Emits what a campaign emits, without any money, for benchmarks.
contract CampaignBurst {
    uint256 private _raised;
    uint32 private _count;

    /// @notice An investment by a new investor.
    function invest(bytes32 investmentId, address investor, uint256 amount) external {
        _raised += amount;
        ++_count;
        emit CampaignImplementation.InvestmentRecorded(
            investmentId, investor, msg.sender, amount, investmentId, amount, _raised, _raised, _count
        );
    }

    /// @notice The end: the issuer is paid and the fee withdrawn, or `refunds` investors are paid back.
    function finish(bool successful, address issuer, uint32 refunds) external {
        emit CampaignImplementation.CampaignFinalized(successful ? 1 : 2, _raised, _count);
        if (successful) {
            uint256 fee = _raised / 40;
            emit CampaignImplementation.FundsReleased(issuer, _raised - fee, fee, msg.sender, fee);
            emit CampaignImplementation.FeeWithdrawn(msg.sender, fee, 0);
            return;
        }
        for (uint32 i = 0; i < refunds; ++i) {
            address investor = address(uint160(uint256(keccak256(abi.encode(this, i)))));
            emit CampaignImplementation.InvestorRefunded(investor, i + 1, _raised - i - 1, _count - i - 1);
        }
    }
}

/// @notice Emits what registry, factory, campaigns and certificates emit, in bulk, for benchmarks. The caller says
/// which numbers: they become ids, so that each is new and the tables' keys vary as they do in life.
contract LedgerBurst {
    uint256 private constant INVESTORS = 5_000;

    address private immutable _implementation;
    /// @notice The campaigns in order.
    address[] public campaigns;

    constructor() {
        _implementation = address(new CampaignBurst());
    }

    /// @notice `n` issuers with one campaign each.
    function create(uint256 n) external {
        for (uint256 i = 0; i < n; ++i) {
            bytes32 id = _id("company", campaigns.length);
            address issuer = _account("issuer", campaigns.length);
            address campaign = Clones.clone(_implementation);
            Terms memory terms = Terms(id, issuer, 1e9, 1e3, 0, 30 days, 5 days, 7_500, "ipfs://offer");
            campaigns.push(campaign);
            emit IssuerRegistry.IssuerRegistered(id, issuer, id, "ipfs://issuer");
            emit IssuerRegistry.IssuerCampaignChanged(id, issuer, campaign);
            emit CampaignFactory.CampaignCreated(
                id, campaign, issuer, terms, address(this), 250, uint64(block.timestamp), uint64(block.timestamp)
            );
        }
    }

    /// @notice Verify `n` investors from number `first`.
    function verify(uint256 first, uint256 n) external {
        for (uint256 i = first; i < first + n; ++i) {
            emit IssuerRegistry.InvestorStatusChanged(_account("investor", i), true);
        }
    }

    /// @notice `n` investments from number `first`, in turn into `width` campaigns from number `campaign`.
    function invest(uint256 first, uint256 n, uint256 campaign, uint256 width) external {
        for (uint256 i = first; i < first + n; ++i) {
            CampaignBurst(campaigns[campaign + i % width]).invest(_id("investment", i), _investor(i), 1e4 + i);
        }
    }

    /// @notice `n` events like a campaign's, from here: of the right topic, and nobody's child.
    function foreign(uint256 n) external {
        for (uint256 i = 0; i < n; ++i) {
            emit CampaignImplementation.InvestmentRecorded(0, address(this), address(this), i, 0, i, i, i, 1);
        }
    }

    /// @notice The end of `n` campaigns from number `campaign`; each fifth fails and refunds 20 investors.
    function finish(uint256 campaign, uint256 n) external {
        for (uint256 i = campaign; i < campaign + n; ++i) {
            address issuer = _account("issuer", i);
            CampaignBurst(campaigns[i]).finish(i % 5 != 4, issuer, 20);
            emit IssuerRegistry.IssuerCampaignChanged(_id("company", i), issuer, address(0));
        }
    }

    /// @notice `n` certificates from number `first`, of the investments with these numbers.
    function mint(uint256 first, uint256 n) external {
        for (uint256 i = first; i < first + n; ++i) {
            address owner = _investor(i);
            emit IERC721.Transfer(address(0), owner, i);
            emit NFTShareCertificate.VotingWeightChanged(owner, i);
            emit NFTShareCertificate.CertificateMinted(
                i, _id("investment", i), _id("company", i % 100), owner, 1e4 + i, i, _id("document", i)
            );
        }
    }

    /// @notice `n` transfers of certificates somewhere below number `end`; `seed` picks which.
    function move(uint256 seed, uint256 n, uint256 end) external {
        for (uint256 i = seed; i < seed + n; ++i) {
            uint256 token = uint256(_id("move", i)) % end;
            address from = _investor(token);
            address to = _investor(token + i);
            emit IERC721.Transfer(from, to, token);
            emit NFTShareCertificate.VotingWeightChanged(from, i);
            emit NFTShareCertificate.VotingWeightChanged(to, i);
            emit NFTShareCertificate.CertificateTransferred(token, from, to, uint32(i));
        }
    }

    function _investor(uint256 number) private pure returns (address) {
        return _account("investor", uint256(keccak256(abi.encode(number))) % INVESTORS);
    }

    function _id(bytes32 kind, uint256 number) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, number));
    }

    function _account(bytes32 kind, uint256 number) private pure returns (address) {
        return address(uint160(uint256(_id(kind, number))));
    }
}
