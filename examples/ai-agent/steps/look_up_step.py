from agent.encyclopedia import look_up

config = {
    "name": "LookUp",
    "type": "event",
    "description": "Calls the tool. Tools fail: it is tried five times more.",
    "subscribes": ["lookup.planned"],
    "emits": ["facts.found"],
    "input": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "question": {"type": "string"},
            "words": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["id", "question", "words"],
    },
    "infrastructure": {"handler": {"timeout": 20}, "queue": {"maxRetries": 5}},
    "flows": ["agent"],
}


async def handler(planned, context):
    shown = {"question": planned["question"], "status": "looking up", "text": ""}
    await context.streams.answers.set("all", planned["id"], shown)
    facts = look_up(planned["words"])
    found = {"id": planned["id"], "question": planned["question"], "facts": facts}
    await context.emit({"topic": "facts.found", "data": found})
