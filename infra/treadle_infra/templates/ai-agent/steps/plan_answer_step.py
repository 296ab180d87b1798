from agent import model

config = {
    "name": "PlanAnswer",
    "type": "event",
    "description": "Asks the model what must be looked up.",
    "subscribes": ["question.asked"],
    "emits": ["lookup.planned"],
    "input": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "question": {"type": "string"}},
        "required": ["id", "question"],
    },
    "flows": ["agent"],
}


async def handler(asked, context):
    words = await model.plan(asked["question"])
    context.logger.info("Planned", {"words": words})
    await context.emit({"topic": "lookup.planned", "data": {**asked, "words": words}})
