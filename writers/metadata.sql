-- The statements of writers/metadata.py, by name.

-- name: registered
SELECT payload::text FROM intent.intents
WHERE kind = 'issuer.register'
    AND left(lower(replace(payload ->> 'company', '-', '')), 80) IN (%(id)s, substr(%(id)s, 3, 32))
ORDER BY outcome IS NOT DISTINCT FROM 'confirmed' DESC, outcome IS NULL DESC, id DESC
LIMIT 20;

-- name: created
SELECT payload::text FROM intent.intents
WHERE kind = 'campaign.create'
    AND left(lower(replace(payload ->> 'campaign', '-', '')), 80) IN (%(id)s, substr(%(id)s, 3, 32))
ORDER BY outcome IS NOT DISTINCT FROM 'confirmed' DESC, outcome IS NULL DESC, id DESC
LIMIT 20;

-- name: keep
INSERT INTO intent.documents (hash, media_type, body)
SELECT d.hash, %(media_type)s, d.body
FROM unnest(%(hashes)s::text[], %(bodies)s::bytea[]) AS d (hash, body)
ORDER BY d.hash
ON CONFLICT (hash) DO NOTHING;

-- name: find
SELECT d.media_type, d.body
FROM event.share_certificate_certificate_minted m JOIN intent.documents d ON d.hash = m.metadata_hash
WHERE m.investment_id = %s;
