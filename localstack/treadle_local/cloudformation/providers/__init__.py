"""One provider per resource type: how it is created, changed and deleted through AWS's own operations."""
