"""What tests of any AWS service say: the account, names of their own, refusals."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import ParamSpec

import pytest
from botocore.exceptions import ClientError

Parameters = ParamSpec("Parameters")
ACCOUNT = "000000000000"


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def refusal(
    call: Callable[Parameters, object], *arguments: Parameters.args, **params: Parameters.kwargs
) -> tuple[str, str]:
    """Code and message by which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **params)
    error = caught.value.response.get("Error", {})
    return error.get("Code", ""), error.get("Message", "")
