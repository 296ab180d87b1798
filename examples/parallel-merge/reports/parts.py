"""The parts of a report, and who puts in the last one."""

PARTS = {"words", "letters", "longest"}


async def add_part(context, report_id, name, value):
    """Stores a part; emits `report.complete` where it was the last one that was missing."""
    changed = await context.state.update("reports", report_id, [{"type": "set", "path": name, "value": value}])
    before, after = changed["old_value"] or {}, changed["new_value"]
    if PARTS <= after.keys() and not PARTS <= before.keys():
        await context.emit({"topic": "report.complete", "data": {"id": report_id}})
