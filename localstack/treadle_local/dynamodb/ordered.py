"""Sorted keys in chunks, so that adding one to a hundred thousand moves a thousand, not all."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any

Key = tuple[Any, ...]

_CHUNK = 512


class _Top:
    """Sorts after everything."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True


TOP = _Top()


class SortedKeys:
    """A sorted set of tuples.

    Ranges are half open, from one tuple to before another, and neither bound needs to be a member: `(5,)` sorts before
    every longer tuple that begins with 5, and `(5, TOP)` after all of them.
    """

    __slots__ = ("_chunks", "_last")

    def __init__(self) -> None:
        self._chunks: list[list[Key]] = []
        self._last: list[Key] = []  # of each chunk

    def add(self, key: Key) -> None:
        """Adds a key that is not there."""
        if not self._chunks:
            self._chunks.append([key])
            self._last.append(key)
            return
        number = min(bisect_left(self._last, key), len(self._chunks) - 1)
        chunk = self._chunks[number]
        insort(chunk, key)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[number : number + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]
            self._last[number : number + 1] = [chunk[_CHUNK - 1], chunk[-1]]
        else:
            self._last[number] = chunk[-1]

    def remove(self, key: Key) -> None:
        """Removes a key that is there."""
        number = bisect_left(self._last, key)
        chunk = self._chunks[number]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._last[number] = chunk[-1]
        else:
            del self._chunks[number]
            del self._last[number]

    def between(self, lower: Key, upper: Key, *, forward: bool = True) -> Iterator[Key]:
        """The keys from `lower` to before `upper`, or those backward. The set must not change meanwhile."""
        first, start = self._position(lower)
        final, end = self._position(upper)
        if (first, start) >= (final, end):
            return
        numbers = range(first, min(final, len(self._chunks) - 1) + 1)
        for number in numbers if forward else reversed(numbers):
            chunk = self._chunks[number]
            low = start if number == first else 0
            high = end if number == final else len(chunk)
            steps = range(low, high) if forward else range(high - 1, low - 1, -1)
            for step in steps:
                yield chunk[step]

    def _position(self, bound: Key) -> tuple[int, int]:
        number = bisect_left(self._last, bound)
        if number == len(self._chunks):
            return number, 0
        return number, bisect_left(self._chunks[number], bound)
