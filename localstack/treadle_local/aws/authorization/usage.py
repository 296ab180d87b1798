"""What was really done with which permission: counted as calls are decided, read by the report."""

from __future__ import annotations

from collections import defaultdict

MOST_DISTINCT = 20_000
"""So many distinct uses are counted apart; further ones count as their action on `*`."""

# Who (a role's name, or a service such as `sns.amazonaws.com`), which action, on which resource.
Use = tuple[str, str, str]


class Usage:
    """Counts by principal, action and resource; `allowed` and `denied` are read, never written, by others."""

    __slots__ = ("allowed", "denied")

    def __init__(self) -> None:
        self.allowed: defaultdict[Use, int] = defaultdict(int)
        self.denied: defaultdict[Use, int] = defaultdict(int)

    def count(self, principal: str, action: str, resource: str) -> None:
        """One call that was allowed."""
        _count(self.allowed, (principal, action, resource))

    def count_denied(self, principal: str, action: str, resource: str) -> None:
        """One call that was refused."""
        _count(self.denied, (principal, action, resource))


def _count(counts: defaultdict[Use, int], use: Use) -> None:
    if len(counts) >= MOST_DISTINCT and use not in counts:
        use = (*use[:2], "*")
    counts[use] += 1
