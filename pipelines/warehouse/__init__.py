"""Everything that knows Postgres: the server, the schema, loading and its proofs."""
