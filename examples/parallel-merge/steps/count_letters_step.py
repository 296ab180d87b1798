from reports.parts import add_part

config = {
    "name": "CountLetters",
    "type": "event",
    "subscribes": ["report.requested"],
    "emits": ["report.complete"],
    "flows": ["reports"],
}


async def handler(requested, context):
    letters = sum(letter.isalpha() for letter in requested["text"])
    await add_part(context, requested["id"], "letters", letters)
