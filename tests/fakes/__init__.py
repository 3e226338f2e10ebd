"""Small tasks, each of another kind: they bend the contract before the applications arrive."""
