"""How an expense is decided: once, whoever else decides at the same time."""

from treadle.errors import VersionConflict

FREE_LIMIT = 100


async def decide(context, expense_id, approved, by):
    """The decided expense; None where it does not wait for a decision, or no longer does."""
    expense, version = await context.state.get_with_version("expenses", expense_id)
    if expense is None or expense["status"] != "waiting":
        return None
    decided = {**expense, "status": "approved" if approved else "refused", "by": by}
    try:
        await context.state.set("expenses", expense_id, decided, expected_version=version)
    except VersionConflict:
        return None
    return decided
