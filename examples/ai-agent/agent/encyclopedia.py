"""The tool that the agent may use: what it knows, it knows for certain."""

FACTS = {
    "eiffel": "The Eiffel tower is 330 metres tall.",
    "everest": "Mount Everest is 8,849 metres high.",
    "python": "Python was first released in 1991.",
}


def look_up(words):
    """The facts about these words."""
    return [FACTS[word] for word in words if word in FACTS]
