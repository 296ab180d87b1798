"""What a stack deletes only to be again as it was: as if the deployment that failed had not made it."""

from __future__ import annotations

from treadle_local.cloudformation.events import STACK_TYPE, StackEvent

TABLE = "AWS::DynamoDB::Table"
QUEUE = "AWS::SQS::Queue"


class Rollbacks:
    """Watches stacks. A deployment that fails is no reason to forget what was kept of its tables and queues."""

    def __init__(self) -> None:
        self._stacks: set[str] = set()
        self._resources: set[tuple[str, str]] = set()

    def watch(self, event: StackEvent) -> None:
        """Is told every event of every stack, before what the event announces is done."""
        if event.type == STACK_TYPE:
            if "ROLLBACK" in event.status and event.status.endswith("_IN_PROGRESS"):
                self._stacks.add(event.stack_id)
            else:
                self._stacks.discard(event.stack_id)
        elif event.type in (TABLE, QUEUE) and event.physical_id:
            resource = event.type, event.physical_id.rsplit("/", 1)[-1]
            if event.status == "DELETE_IN_PROGRESS" and event.stack_id in self._stacks:
                self._resources.add(resource)
            else:
                self._resources.discard(resource)

    def delete(self, resource_type: str, name: str) -> bool:
        """Whether it is a rollback that is deleting this resource now."""
        return (resource_type, name) in self._resources
