config = {
    "name": "DeleteTodo",
    "type": "api",
    "path": "/todos/:id",
    "method": "DELETE",
    "description": "Takes a todo off the list.",
    "responseSchema": {204: None, 404: {"type": "object", "properties": {"error": {"type": "string"}}}},
    "flows": ["todos"],
}


async def handler(req, context):
    deleted = await context.streams.todos.delete("all", req["pathParams"]["id"])
    if deleted is None:
        return {"status": 404, "body": {"error": "There is no such todo"}}
    return {"status": 204}
