"""A model that needs no key. A real one has the same two functions."""

import asyncio
import re

WORD_SECONDS = 0.02


async def plan(question):
    """The words that are worth looking up."""
    words = re.findall(r"[A-Za-z]{4,}", question)
    return list(dict.fromkeys(word.lower() for word in words if word.lower() not in ("what", "tall", "does", "high")))


async def write(question, facts):
    """The answer, word by word."""
    text = " ".join(facts) if facts else f"I know nothing about that: {question}"
    for word in text.split():
        await asyncio.sleep(WORD_SECONDS)
        yield word
