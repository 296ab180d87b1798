config = {
    "name": "GetReport",
    "type": "api",
    "path": "/reports/:id",
    "method": "GET",
    "responseSchema": {
        200: {"type": "object", "properties": {"summary": {"type": "string"}}},
        404: {"type": "object", "properties": {"error": {"type": "string"}}},
    },
    "flows": ["reports"],
}


async def handler(req, context):
    report = await context.state.get("reports", req["pathParams"]["id"])
    if report is None:
        return {"status": 404, "body": {"error": "There is no such report, or none of its parts yet"}}
    return {"status": 200, "body": report}
