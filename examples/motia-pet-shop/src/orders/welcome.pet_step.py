import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "services"))

from letters import welcome

config = {
    "type": "event",
    "name": "WelcomePet",
    "subscribes": ["pet.created"],
    "emits": [],
    "input": {
        "type": "object",
        "properties": {"shop": {"type": "string"}, "petId": {"type": "string"}},
        "required": ["shop", "petId"],
    },
    "includeFiles": ["templates/*.txt"],
    "infrastructure": {"handler": {"timeout": 20}, "queue": {"maxRetries": 2, "visibilityTimeout": 60}},
    "flows": ["pets"],
}


async def handler(input_data, ctx):
    group = f"pets-{input_data['shop']}"
    pet = (await ctx.state.get(group, input_data["petId"])).get("data")
    with open(os.path.join(os.path.dirname(__file__), "templates", "welcome.txt")) as template:
        pet["letter"] = welcome(template.read(), pet["name"])
    pet["status"] = "ready"
    await ctx.state.set(group, input_data["petId"], pet)
    await ctx.streams["pet-news"].set(input_data["shop"], input_data["petId"], {"text": f"{pet['name']} is ready"})
