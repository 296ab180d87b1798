config = {
    "name": "todos",
    "access": "open",  # for whoever has the URL; a `canAccess` function would choose
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
