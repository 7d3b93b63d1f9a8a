"""The register, one person's history, and proofs that hold without this hub."""
