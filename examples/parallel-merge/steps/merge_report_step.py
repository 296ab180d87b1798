config = {
    "name": "MergeReport",
    "type": "event",
    "subscribes": ["report.complete"],
    "flows": ["reports"],
}


async def handler(complete, context):
    parts = await context.state.get("reports", complete["id"])
    summary = f"{parts['words']} words, {parts['letters']} letters, the longest word is {parts['longest']!r}"
    operations = [
        {"type": "increment", "path": "merged", "by": 1},
        {"type": "set", "path": "summary", "value": summary},
    ]
    await context.state.update("reports", complete["id"], operations)
    context.logger.info("Merged", {"id": complete["id"], "summary": summary})
