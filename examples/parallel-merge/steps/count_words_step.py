from reports.parts import add_part

config = {
    "name": "CountWords",
    "type": "event",
    "subscribes": ["report.requested"],
    "emits": ["report.complete"],
    "flows": ["reports"],
}


async def handler(requested, context):
    words = len(requested["text"].split())
    await add_part(context, requested["id"], "words", words)
