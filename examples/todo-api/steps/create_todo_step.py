from uuid import uuid4

TODO = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "done": {"type": "boolean"}},
    "required": ["id", "title", "done"],
}

config = {
    "name": "CreateTodo",
    "type": "api",
    "path": "/todos",
    "method": "POST",
    "description": "Adds a todo to the list.",
    "bodySchema": {
        "type": "object",
        "properties": {"title": {"type": "string", "minLength": 1, "maxLength": 200}},
        "required": ["title"],
        "additionalProperties": False,
    },
    "responseSchema": {201: TODO},
    "flows": ["todos"],
}


async def handler(req, context):
    todo_id = uuid4().hex
    await context.streams.todos.set("all", todo_id, {"title": req["body"]["title"], "done": False})
    return {"status": 201, "body": {"id": todo_id, "title": req["body"]["title"], "done": False}}
