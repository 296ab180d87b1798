"""Order among resources: what is needed comes first."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from treadle_local.cloudformation.errors import validation_error


def creation_order(dependencies: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """All names, each after those it depends on and otherwise in the given order.

    Dependencies on names that are not keys of the mapping are ignored.

    Raises: ValidationError with the members of a cycle, in AWS's words.
    """
    done: dict[str, None] = {}
    active: dict[str, None] = {}
    for root in dependencies:
        stack = [(root, iter(dependencies[root]))] if root not in done else []
        if stack:
            active[root] = None
        while stack:
            name, rest = stack[-1]
            for needed in rest:
                if needed in active:
                    raise _circular(active, needed)
                if needed in dependencies and needed not in done:
                    active[needed] = None
                    stack.append((needed, iter(dependencies[needed])))
                    break
            else:
                stack.pop()
                del active[name]
                done[name] = None
    return tuple(done)


def _circular(active: Mapping[str, None], closing: str) -> Exception:
    names = list(active)
    cycle = names[names.index(closing) :]
    return validation_error(f"Circular dependency between resources: [{', '.join(cycle)}]")
