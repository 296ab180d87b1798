config = {
    "name": "summary",
    "access": "open",  # for whoever has the URL; a `canAccess` function would choose
    "schema": {
        "type": "object",
        "properties": {
            "total": {"type": "integer"},
            "status": {"type": "string"},
        },
        "required": ["total", "status"],
    },
    "baseConfig": {"storageType": "default"},
}
