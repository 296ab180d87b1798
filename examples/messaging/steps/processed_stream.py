config = {
    "name": "processed",
    "access": "open",  # for whoever has the URL; a `canAccess` function would choose
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
