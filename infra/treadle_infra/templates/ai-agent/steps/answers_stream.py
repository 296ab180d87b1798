config = {
    "name": "answers",
    "access": "open",  # for whoever has the URL; a `canAccess` function would choose
    "schema": {
        "type": "object",
        "properties": {
            "question": {"type": "string"},
            "status": {"enum": ["planning", "looking up", "writing", "done"]},
            "text": {"type": "string"},
        },
        "required": ["question", "status", "text"],
    },
    "baseConfig": {"storageType": "default"},
}
