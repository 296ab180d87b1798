"""Tables that outlive their stack: to find them, to take them back, to remove them with what is in them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from botocore.exceptions import ClientError

from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aws_errors import error_code
from treadle_infra.deploy.losses import TABLE
from treadle_infra.deploy.origins import Template, resources_of
from treadle_infra.deploy.plan import RETAINING

_WAIT_SECONDS = 300
_MISSING = "ResourceNotFoundException"
_BUSY = "ResourceInUseException"


def kept_tables(account: Account, app: str, stage: str) -> list[str]:
    """The names of all tables that carry the tags of this app and stage, in a stack or not."""
    prefix = f"{app}--{stage}--"
    names: list[str] = []
    for page in account.dynamodb.get_paginator("list_tables").paginate():
        names += [name for name in page["TableNames"] if name.startswith(prefix)]
    return [name for name in names if _is_of(account, name, app, stage)]


def tables_to_take_back(
    account: Account, template: Template, present: Iterable[str], app: str, stage: str
) -> list[str]:
    """The tables that the template makes and keeps, that are there and that the stack does not hold.

    `present`: the logical ids of what the stack holds. A table of somebody else's is not among them.
    """
    held = set(present)
    names = [
        str(resource["Properties"]["TableName"])
        for logical_id, resource in resources_of(template).items()
        if resource["Type"] == TABLE and resource.get("DeletionPolicy") in RETAINING and logical_id not in held
    ]
    return [name for name in names if _is_of(account, name, app, stage)]


def delete_table(account: Account, name: str) -> None:
    """The table is gone when this returns, protected or not, and whoever else deletes it."""
    end = time.monotonic() + _WAIT_SECONDS
    while _deletion_goes_on(account, name) and time.monotonic() < end:
        time.sleep(account.poll_seconds)


def _deletion_goes_on(account: Account, name: str) -> bool:
    """Takes the next step, where the table is ready for one; False once it is gone."""
    client = account.dynamodb
    try:
        table = client.describe_table(TableName=name)["Table"]
        if table.get("TableStatus") != "ACTIVE":
            return True
        if table.get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
        else:
            client.delete_table(TableName=name)
    except ClientError as problem:
        if error_code(problem) == _MISSING:
            return False
        if error_code(problem) != _BUSY:
            raise
    return True


def _is_of(account: Account, name: str, app: str, stage: str) -> bool:
    client = account.dynamodb
    try:
        arn = client.describe_table(TableName=name)["Table"].get("TableArn", "")
        tags = {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=arn).get("Tags", [])}
    except ClientError as problem:
        if error_code(problem) == _MISSING:
            return False
        raise
    return tags.get("treadle:app") == app and tags.get("treadle:stage") == stage
