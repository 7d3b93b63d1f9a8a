"""The ledger and its keeping: the chain, the state that follows from it, checkpoints and checks."""
