from reports.parts import add_part

config = {
    "name": "FindLongest",
    "type": "event",
    "subscribes": ["report.requested"],
    "emits": ["report.complete"],
    "flows": ["reports"],
}


async def handler(requested, context):
    longest = max(requested["text"].split(), key=len, default="")
    await add_part(context, requested["id"], "longest", longest)
