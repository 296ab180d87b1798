from expenses.decisions import decide

config = {
    "name": "DecideExpense",
    "type": "api",
    "path": "/expenses/:id/decision",
    "method": "POST",
    "description": "A person's decision; the first one counts.",
    "bodySchema": {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "by": {"type": "string", "minLength": 1}},
        "required": ["approved", "by"],
    },
    "responseSchema": {
        200: {"type": "object", "properties": {"status": {"enum": ["approved", "refused"]}}},
        409: {"type": "object", "properties": {"error": {"type": "string"}}},
    },
    "emits": ["expense.decided"],
    "flows": ["expenses"],
}


async def handler(req, context):
    decided = await decide(context, req["pathParams"]["id"], req["body"]["approved"], req["body"]["by"])
    if decided is None:
        return {"status": 409, "body": {"error": "No expense with this id waits for a decision"}}
    await context.emit({"topic": "expense.decided", "data": decided})
    return {"status": 200, "body": {"status": decided["status"]}}
