-- The event tables of the platform's contracts, as schema/layout.py lays them out from the artifacts.
CREATE TABLE IF NOT EXISTS event."issuer_registry_factory_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "factory" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_factory_changed" IS 'FactoryChanged(address)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_investor_status_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "investor" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_investor_status_changed" IS 'InvestorStatusChanged(address,bool)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_issuer_campaign_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "campaign" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_issuer_campaign_changed" IS 'IssuerCampaignChanged(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_issuer_status_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_issuer_status_changed" IS 'IssuerStatusChanged(bytes32,address,bool)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_issuer_registered" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "credential_hash" TEXT NOT NULL,
    "document_uri" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_issuer_registered" IS 'IssuerRegistered(bytes32,address,bytes32,string)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_issuer_document_updated" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "document_uri" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_issuer_document_updated" IS 'IssuerDocumentUpdated(bytes32,address,string)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_issuer_replaced" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "company_id" TEXT NOT NULL,
    "old_issuer" TEXT NOT NULL,
    "new_issuer" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_issuer_replaced" IS 'IssuerReplaced(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_role_granted" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_role_granted" IS 'RoleGranted(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_role_revoked" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_role_revoked" IS 'RoleRevoked(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."issuer_registry_role_admin_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "previous_admin_role" TEXT NOT NULL,
    "new_admin_role" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."issuer_registry_role_admin_changed" IS 'RoleAdminChanged(bytes32,bytes32,bytes32)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_fee_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "fee_bps" INTEGER NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_fee_changed" IS 'FeeChanged(uint16)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_fee_recipient_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "fee_recipient" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_fee_recipient_changed" IS 'FeeRecipientChanged(address)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_implementation_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "implementation" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_implementation_changed" IS 'ImplementationChanged(address)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_treasury_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "treasury" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_treasury_changed" IS 'TreasuryChanged(address)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_campaign_created" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "campaign_id" TEXT NOT NULL,
    "campaign" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "terms" JSONB NOT NULL,
    "token" TEXT NOT NULL,
    "fee_bps" INTEGER NOT NULL,
    "deadline" NUMERIC(78, 0) NOT NULL,
    "record_until" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_campaign_created" IS 'CampaignCreated(bytes32,address,address,(bytes32,address,uint256,uint256,uint256,uint64,uint64,uint16,string),address,uint16,uint64,uint64)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_role_granted" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_role_granted" IS 'RoleGranted(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_role_revoked" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_role_revoked" IS 'RoleRevoked(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."campaign_factory_role_admin_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "previous_admin_role" TEXT NOT NULL,
    "new_admin_role" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_factory_role_admin_changed" IS 'RoleAdminChanged(bytes32,bytes32,bytes32)';

CREATE TABLE IF NOT EXISTS event."campaign_paused" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_paused" IS 'Paused(address)';

CREATE TABLE IF NOT EXISTS event."campaign_unpaused" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_unpaused" IS 'Unpaused(address)';

CREATE TABLE IF NOT EXISTS event."campaign_campaign_cancelled" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "total_raised" NUMERIC(78, 0) NOT NULL,
    "investor_count" BIGINT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_campaign_cancelled" IS 'CampaignCancelled(string,uint256,uint32)';

CREATE TABLE IF NOT EXISTS event."campaign_campaign_finalized" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "status" SMALLINT NOT NULL,
    "total_raised" NUMERIC(78, 0) NOT NULL,
    "investor_count" BIGINT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_campaign_finalized" IS 'CampaignFinalized(uint8,uint256,uint32)';

CREATE TABLE IF NOT EXISTS event."campaign_fee_withdrawn" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "fee_recipient" TEXT NOT NULL,
    "amount" NUMERIC(78, 0) NOT NULL,
    "escrow_balance" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_fee_withdrawn" IS 'FeeWithdrawn(address,uint256,uint256)';

CREATE TABLE IF NOT EXISTS event."campaign_investor_refunded" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "investor" TEXT NOT NULL,
    "amount" NUMERIC(78, 0) NOT NULL,
    "escrow_balance" NUMERIC(78, 0) NOT NULL,
    "investors_remaining" BIGINT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_investor_refunded" IS 'InvestorRefunded(address,uint256,uint256,uint32)';

CREATE TABLE IF NOT EXISTS event."campaign_funds_released" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "amount" NUMERIC(78, 0) NOT NULL,
    "fee" NUMERIC(78, 0) NOT NULL,
    "fee_recipient" TEXT NOT NULL,
    "escrow_balance" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_funds_released" IS 'FundsReleased(address,uint256,uint256,address,uint256)';

CREATE TABLE IF NOT EXISTS event."campaign_swept" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "treasury" TEXT NOT NULL,
    "amount" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_swept" IS 'Swept(address,uint256)';

CREATE TABLE IF NOT EXISTS event."campaign_investment_recorded" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "investment_id" TEXT NOT NULL,
    "investor" TEXT NOT NULL,
    "payer" TEXT NOT NULL,
    "amount" NUMERIC(78, 0) NOT NULL,
    "payment_reference" TEXT NOT NULL,
    "investor_total" NUMERIC(78, 0) NOT NULL,
    "total_raised" NUMERIC(78, 0) NOT NULL,
    "escrow_balance" NUMERIC(78, 0) NOT NULL,
    "investor_count" BIGINT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."campaign_investment_recorded" IS 'InvestmentRecorded(bytes32,address,address,uint256,bytes32,uint256,uint256,uint256,uint32)';

CREATE TABLE IF NOT EXISTS event."share_certificate_base_uri_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "base_uri" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_base_uri_changed" IS 'BaseURIChanged(string)';

CREATE TABLE IF NOT EXISTS event."share_certificate_transfer" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "from" TEXT NOT NULL,
    "to" TEXT NOT NULL,
    "token_id" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_transfer" IS 'Transfer(address,address,uint256)';

CREATE TABLE IF NOT EXISTS event."share_certificate_voting_weight_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "weight" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_voting_weight_changed" IS 'VotingWeightChanged(address,uint256)';

CREATE TABLE IF NOT EXISTS event."share_certificate_approval" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "approved" TEXT NOT NULL,
    "token_id" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_approval" IS 'Approval(address,address,uint256)';

CREATE TABLE IF NOT EXISTS event."share_certificate_approval_for_all" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "operator" TEXT NOT NULL,
    "approved" BOOLEAN NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_approval_for_all" IS 'ApprovalForAll(address,address,bool)';

CREATE TABLE IF NOT EXISTS event."share_certificate_role_granted" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_role_granted" IS 'RoleGranted(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."share_certificate_role_revoked" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_role_revoked" IS 'RoleRevoked(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."share_certificate_role_admin_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "previous_admin_role" TEXT NOT NULL,
    "new_admin_role" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_role_admin_changed" IS 'RoleAdminChanged(bytes32,bytes32,bytes32)';

CREATE TABLE IF NOT EXISTS event."share_certificate_certificate_revoked" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "token_id" NUMERIC(78, 0) NOT NULL,
    "owner" TEXT NOT NULL,
    "voting_weight" NUMERIC(78, 0) NOT NULL,
    "reason" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_certificate_revoked" IS 'CertificateRevoked(uint256,address,uint256,string)';

CREATE TABLE IF NOT EXISTS event."share_certificate_certificate_transferred" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "token_id" NUMERIC(78, 0) NOT NULL,
    "from" TEXT NOT NULL,
    "to" TEXT NOT NULL,
    "transfer_count" BIGINT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_certificate_transferred" IS 'CertificateTransferred(uint256,address,address,uint32)';

CREATE TABLE IF NOT EXISTS event."share_certificate_registrar_transferred" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "token_id" NUMERIC(78, 0) NOT NULL,
    "registrar" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_registrar_transferred" IS 'RegistrarTransferred(uint256,address,string)';

CREATE TABLE IF NOT EXISTS event."share_certificate_certificate_minted" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "token_id" NUMERIC(78, 0) NOT NULL,
    "investment_id" TEXT NOT NULL,
    "campaign_id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "amount" NUMERIC(78, 0) NOT NULL,
    "voting_weight" NUMERIC(78, 0) NOT NULL,
    "metadata_hash" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."share_certificate_certificate_minted" IS 'CertificateMinted(uint256,bytes32,bytes32,address,uint256,uint256,bytes32)';

CREATE TABLE IF NOT EXISTS event."token_transfer" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "from" TEXT NOT NULL,
    "to" TEXT NOT NULL,
    "value" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."token_transfer" IS 'Transfer(address,address,uint256)';

CREATE TABLE IF NOT EXISTS event."token_approval" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "spender" TEXT NOT NULL,
    "value" NUMERIC(78, 0) NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."token_approval" IS 'Approval(address,address,uint256)';

CREATE TABLE IF NOT EXISTS event."token_role_granted" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."token_role_granted" IS 'RoleGranted(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."token_role_revoked" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."token_role_revoked" IS 'RoleRevoked(bytes32,address,address)';

CREATE TABLE IF NOT EXISTS event."token_role_admin_changed" (
    "block_number" BIGINT NOT NULL,
    "tx_index" INTEGER NOT NULL,
    "log_index" INTEGER NOT NULL,
    "block_time" TIMESTAMP WITH TIME ZONE NOT NULL,
    "tx_hash" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "previous_admin_role" TEXT NOT NULL,
    "new_admin_role" TEXT NOT NULL,
    PRIMARY KEY ("block_number", "tx_index", "log_index")
);
COMMENT ON TABLE event."token_role_admin_changed" IS 'RoleAdminChanged(bytes32,bytes32,bytes32)';

-- What the columns that every event table has mean, as event.undecoded says it.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.relname, a.attname, col_description(u.attrelid, u.attnum) AS meaning
        FROM pg_catalog.pg_attribute u
        JOIN pg_catalog.pg_attribute a ON a.attname = u.attname AND a.attnum > 0
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
        WHERE u.attrelid = 'event.undecoded'::regclass AND u.attnum BETWEEN 1 AND 6
            AND c.relnamespace = 'event'::regnamespace AND c.oid <> u.attrelid
    LOOP
        EXECUTE format('COMMENT ON COLUMN event.%I.%I IS %L', found.relname, found.attname, found.meaning);
    END LOOP;
END
$$;
