config = {
    "name": "inbox",
    "access": "open",  # for whoever has the URL; a `canAccess` function would choose
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
