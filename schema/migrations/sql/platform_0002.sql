-- Escrow and certificates are the daemon's own rules' alone, unless somebody grants them.
INSERT INTO intent.grants (kind, role)
SELECT kind, 'chainfirst_app' FROM unnest(ARRAY[
    'issuer.register', 'issuer.update_document', 'issuer.set_active', 'investor.set_verified',
    'campaign.create', 'campaign.record_investment', 'campaign.finalize', 'campaign.cancel'
]) AS kind;
