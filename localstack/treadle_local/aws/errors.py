"""The one exception by which an emulated AWS service refuses a call; rendered in the protocol of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An error as AWS answers it.

    `code` is the wire code (`ResourceNotFoundException`; `AWS.SimpleQueueService.NonExistentQueue` is given as its
    modern name `QueueDoesNotExist`), `fields` are further members of the error shape (`CancellationReasons`, `Item`).
    `query_code` is the code that the older query protocol used, where it differs (sent to SQS clients as a header).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        fields: Mapping[str, Any] | None = None,
        query_code: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields: Mapping[str, Any] = fields or {}
        self.query_code = query_code

    @property
    def fault(self) -> str:
        """`Sender` for the caller's mistakes, `Receiver` for the service's."""
        return "Sender" if self.status < 500 else "Receiver"


def access_denied(
    principal: str, action: str, resource: str, *, explicitly: bool = False, policy: str = "identity-based policy"
) -> AwsError:
    """The refusal of an authenticated caller whom no policy allows the action, or one denies it explicitly.

    `policy` is the kind of policy that it comes from, as AWS calls it.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    article = "an" if policy.startswith("identity") else "a"
    denied = f"with an explicit deny in {article} {policy}"
    reason = denied if explicitly else f"because no {policy} allows the {action} action"
    return AwsError(
        "AccessDeniedException",
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}",
        status=400,
    )
