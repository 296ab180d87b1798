config = {
    "name": "ListTodos",
    "type": "api",
    "path": "/todos",
    "method": "GET",
    "description": "All todos, or only those that are done or open.",
    "queryParams": [{"name": "done", "description": "`true` or `false`"}],
    "responseSchema": {
        200: {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "done": {"type": "boolean"}},
            },
        }
    },
    "flows": ["todos"],
}


async def handler(req, context):
    todos = await context.streams.todos.get_group("all")
    wanted = req["queryParams"].get("done")
    if wanted in ("true", "false"):
        todos = [todo for todo in todos if todo["done"] is (wanted == "true")]
    return {"status": 200, "body": todos}
