config = {
    "name": "ChangeTodo",
    "type": "api",
    "path": "/todos/:id",
    "method": "PATCH",
    "description": "Changes a todo's title, or whether it is done.",
    "bodySchema": {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "done": {"type": "boolean"},
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
    "responseSchema": {
        200: {
            "type": "object",
            "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "done": {"type": "boolean"}},
        },
        404: {"type": "object", "properties": {"error": {"type": "string"}}},
    },
    "flows": ["todos"],
}


async def handler(req, context):
    todo_id = req["pathParams"]["id"]
    todo = await context.streams.todos.get("all", todo_id)
    if todo is None:
        return {"status": 404, "body": {"error": "There is no such todo"}}
    changed = {"title": todo["title"], "done": todo["done"], **req["body"]}
    await context.streams.todos.set("all", todo_id, changed)
    return {"status": 200, "body": {"id": todo_id, **changed}}
