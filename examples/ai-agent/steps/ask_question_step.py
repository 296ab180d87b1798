from uuid import uuid4

config = {
    "name": "AskQuestion",
    "type": "api",
    "path": "/questions",
    "method": "POST",
    "description": "Takes a question; the answer comes on the stream `answers`.",
    "bodySchema": {
        "type": "object",
        "properties": {"question": {"type": "string", "minLength": 1, "maxLength": 1000}},
        "required": ["question"],
    },
    "responseSchema": {202: {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    "emits": ["question.asked"],
    "flows": ["agent"],
}


async def handler(req, context):
    question_id, question = uuid4().hex, req["body"]["question"]
    await context.streams.answers.set("all", question_id, {"question": question, "status": "planning", "text": ""})
    await context.emit({"topic": "question.asked", "data": {"id": question_id, "question": question}})
    return {"status": 202, "body": {"id": question_id}}
