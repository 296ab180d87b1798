config = {
    "name": "summary",
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
