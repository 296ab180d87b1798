from ..middlewares.shop_middleware import shop_middleware

config = {
    "type": "api",
    "name": "GetPet",
    "path": "/pets/:id",
    "method": "GET",
    "emits": [],
    "middleware": [shop_middleware],
    "flows": ["pets"],
}


async def handler(req, context):
    result = await context.state.get(f"pets-{req['shop']}", req["pathParams"]["id"])
    pet = result.get("data")
    if not pet:
        return {"status": 404, "body": {"error": "No such pet"}}
    return {"status": 200, "body": pet}
