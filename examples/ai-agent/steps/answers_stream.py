config = {
    "name": "answers",
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
