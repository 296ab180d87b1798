from pydantic import ValidationError

from src.middlewares.shop_middleware import shop_middleware
from src.services.pet_store import NewPet, Pet, next_id

config = {
    "type": "api",
    "name": "CreatePet",
    "description": "Takes in a pet",
    "path": "/pets",
    "method": "POST",
    "bodySchema": NewPet,
    "responseSchema": {201: Pet.model_json_schema(), 400: {"type": "object", "properties": {"error": {}}}},
    "emits": ["pet.created"],
    "middleware": [shop_middleware],
    "flows": ["pets"],
}


async def handler(req, context):
    try:
        new = NewPet.model_validate(req.get("body"))
    except ValidationError as error:
        return {"status": 400, "body": {"error": error.errors(include_url=False, include_context=False)}}
    pet = Pet(id=await next_id(context, req["shop"]), **new.model_dump())
    await context.state.set(f"pets-{req['shop']}", pet.id, pet.model_dump())
    context.logger.info("Pet taken in", {"pet": pet.id, "traceId": context.traceId})
    await context.emit({"topic": "pet.created", "data": {"shop": req["shop"], "petId": pet.id}})
    return {"status": 201, "body": pet}
