config = {
    "name": "GetAnswer",
    "type": "api",
    "path": "/questions/:id",
    "method": "GET",
    "description": "How far the answer is.",
    "responseSchema": {
        200: {
            "type": "object",
            "properties": {
                "question": {"type": "string"},
                "status": {"enum": ["planning", "looking up", "writing", "done"]},
                "text": {"type": "string"},
            },
        },
        404: {"type": "object", "properties": {"error": {"type": "string"}}},
    },
    "flows": ["agent"],
}


async def handler(req, context):
    answer = await context.streams.answers.get("all", req["pathParams"]["id"])
    if answer is None:
        return {"status": 404, "body": {"error": "There is no such question"}}
    return {"status": 200, "body": answer}
