config = {
    "name": "inbox",
    "schema": {
        "type": "object",
        "properties": {
            "employee": {"type": "string"},
            "amount": {"type": "number"},
            "status": {"type": "string"},
        },
        "required": ["employee", "amount", "status"],
    },
    "baseConfig": {"storageType": "default"},
}
