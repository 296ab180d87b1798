config = {
    "name": "GetExpense",
    "type": "api",
    "path": "/expenses/:id",
    "method": "GET",
    "description": "How an expense stands.",
    "responseSchema": {
        200: {"type": "object", "properties": {"id": {"type": "string"}, "status": {"type": "string"}}},
        404: {"type": "object", "properties": {"error": {"type": "string"}}},
    },
    "flows": ["expenses"],
}


async def handler(req, context):
    expense = await context.state.get("expenses", req["pathParams"]["id"])
    if expense is None:
        return {"status": 404, "body": {"error": "There is no such expense"}}
    return {"status": 200, "body": expense}
