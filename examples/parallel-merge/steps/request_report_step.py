from uuid import uuid4

config = {
    "name": "RequestReport",
    "type": "api",
    "path": "/reports",
    "method": "POST",
    "bodySchema": {
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 10000}},
        "required": ["text"],
    },
    "responseSchema": {202: {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    "emits": ["report.requested"],
    "flows": ["reports"],
}


async def handler(req, context):
    report_id = uuid4().hex
    await context.emit({"topic": "report.requested", "data": {"id": report_id, "text": req["body"]["text"]}})
    return {"status": 202, "body": {"id": report_id}}
