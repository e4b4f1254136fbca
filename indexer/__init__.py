"""Chain to database: RPC, blocks, decoding, folding, rollback."""
