from agent import model

config = {
    "name": "WriteAnswer",
    "type": "event",
    "description": "Streams the model's answer, word by word.",
    "subscribes": ["facts.found"],
    "input": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "question": {"type": "string"},
            "facts": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["id", "question", "facts"],
    },
    "infrastructure": {"handler": {"ram": 512, "timeout": 60}},
    "flows": ["agent"],
}


async def handler(found, context):
    question, text = found["question"], ""
    async for word in model.write(question, found["facts"]):
        text = f"{text} {word}".strip()
        await context.streams.answers.set("all", found["id"], {"question": question, "status": "writing", "text": text})
    await context.streams.answers.set("all", found["id"], {"question": question, "status": "done", "text": text})
    context.logger.info("Answered", {"id": found["id"], "words": len(text.split())})
