config = {
    "name": "todos",
    "schema": {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "done": {"type": "boolean"},
        },
        "required": ["title", "done"],
    },
    "baseConfig": {"storageType": "default"},
}
