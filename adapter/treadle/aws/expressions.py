"""The expressions of one DynamoDB write, put together clause by clause.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle.shapes import AttributeValue


class Expressions:
    """What a write sets, removes, counts up and demands. Names are placeholders, `#name`, so that no word is reserved.

    Only what is used may be declared: DynamoDB refuses the rest.
    """

    __slots__ = ("_adds", "_conditions", "_names", "_removes", "_sets", "_values")

    def __init__(self) -> None:
        self._sets: list[str] = []
        self._removes: list[str] = []
        self._adds: list[str] = []
        self._conditions: list[str] = []
        self._names: dict[str, str] = {}
        self._values: dict[str, AttributeValue] = {}

    def copy(self) -> Expressions:
        """The same clauses, to which others can be added."""
        other = Expressions()
        other._sets += self._sets
        other._removes += self._removes
        other._adds += self._adds
        other._conditions += self._conditions
        other._names |= self._names
        other._values |= self._values
        return other

    def name(self, attribute: str, placeholder: str = "") -> str:
        """The placeholder of an attribute's or a field's name: that name itself, or the one that is given."""
        sign = f"#{placeholder or attribute}"
        self._names[sign] = attribute
        return sign

    def value(self, placeholder: str, value: AttributeValue) -> str:
        sign = f":{placeholder}"
        self._values[sign] = value
        return sign

    def assign(self, attribute: str, value: AttributeValue) -> None:
        """Sets an attribute of the item."""
        self.set(self.name(attribute), self.value(attribute, value))

    def set(self, path: str, operand: str) -> None:
        """Sets what the path names, which is made of placeholders, to an operand."""
        self._sets.append(f"{path} = {operand}")

    def remove(self, path: str) -> None:
        self._removes.append(path)

    def add_one(self, attribute: str) -> None:
        """Counts a numeric attribute of the item up, from 0 where it is not there."""
        self._adds.append(f"{self.name(attribute)} {self.value('one', {'N': '1'})}")

    def demand(self, condition: str) -> None:
        """Makes the write depend on a condition, beside those that it depends on already."""
        self._conditions.append(condition)

    def parameters(self) -> dict[str, Any]:
        """The members of a write's parameters that say all this."""
        clauses = (("SET", self._sets), ("REMOVE", self._removes), ("ADD", self._adds))
        parameters: dict[str, Any] = {}
        update = " ".join([f"{word} {', '.join(parts)}" for word, parts in clauses if parts])
        if update:
            parameters["UpdateExpression"] = update
        if self._conditions:
            parameters["ConditionExpression"] = " AND ".join(self._conditions)
        if self._names:
            parameters["ExpressionAttributeNames"] = self._names
        if self._values:
            parameters["ExpressionAttributeValues"] = self._values
        return parameters
