config = {
    "name": "messages",
    "schema": {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "userId": {"type": "string"},
            "status": {"type": "string"},
        },
        "required": ["text", "userId", "status"],
    },
    "baseConfig": {"storageType": "default"},
}
