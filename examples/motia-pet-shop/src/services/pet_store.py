from typing import Literal, Optional

from pydantic import BaseModel


class NewPet(BaseModel):
    name: str
    kind: Literal["dog", "cat", "bird"]


class Pet(NewPet):
    id: str
    status: str = "new"
    letter: Optional[str] = None


async def next_id(context, shop: str) -> str:
    pets = await context.state.getGroup(f"pets-{shop}")
    return str(len(pets) + 1)
