"""JSON Schemas as hypothesis strategies: nested, titled, with references to others, to themselves, to nothing."""

from __future__ import annotations

from hypothesis import strategies as st

from treadle_infra.app.model import Json

WORDS = ("Order", "Item", "a b", "ä/~", "x")


@st.composite
def some_schema(draw: st.DrawFn, depth: int = 3) -> dict[str, Json]:
    """A schema without definitions; what it refers to may be there or not."""
    word = draw(st.sampled_from(WORDS))
    match draw(st.integers(0, 4 if depth else 1)):
        case 0:
            return {"type": draw(st.sampled_from(["string", "integer", "null"]))}
        case 1:
            return {"$ref": f"#/$defs/{word.replace('~', '~0').replace('/', '~1')}"}
        case 2:
            return {"title": word, "properties": {word: draw(some_schema(depth - 1))}}
        case 3:
            return {"anyOf": [draw(some_schema(depth - 1)), draw(some_schema(depth - 1))]}
        case _:
            return {"items": draw(some_schema(depth - 1))}


@st.composite
def some_document(draw: st.DrawFn) -> Json:
    definitions: dict[str, Json] = {word: draw(some_schema()) for word in WORDS if draw(st.booleans())}
    return {**draw(some_schema()), "$defs": definitions}
