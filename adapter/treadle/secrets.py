"""The project's secrets: parameters of Systems Manager that become variables of the process when it starts.

Only functions of a project with secrets load this. Values are in the process's memory and nowhere else.
"""

from __future__ import annotations

import os
import time

from treadle.logger import write_line
from treadle.names import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from treadle.aws.client import AwsClient

NAMES_PER_CALL = 10
"""Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html"""
FETCH_SECONDS = 8.0
"""What is left of the ten seconds that a function may take to start, for the step's own module.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""
_TARGET = "AmazonSSM"
_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc"))


def fetch_secrets(secrets: tuple[str, ...]) -> None:
    """Sets the variables that these secrets stand for; one that is set already is left as it is.

    A secret that has no value is told in the log, and its variable stays unset.
    Raises: AwsCallError, ConfigurationError.
    """
    wanted = [secret for secret in secrets if secret not in os.environ]
    if not wanted:
        return
    client = _client()
    try:
        for first in range(0, len(wanted), NAMES_PER_CALL):
            _fetch(client, wanted[first : first + NAMES_PER_CALL])
    finally:
        client.close()


def _fetch(client: AwsClient, secrets: list[str]) -> None:
    names = Names(os.environ["TREADLE_APP"], os.environ["TREADLE_STAGE"])
    by_parameter = {names.secret(secret): secret for secret in secrets}
    payload = {"Names": list(by_parameter), "WithDecryption": True}
    answer = client.json_call("ssm", "GetParameters", _TARGET, "the secrets", payload, version="1.1")
    for parameter in answer.get("Parameters", ()):
        os.environ[by_parameter[parameter["Name"]]] = parameter["Value"]
    for parameter in answer.get("InvalidParameters", ()):
        secret = by_parameter.get(parameter, parameter)
        hint = f"treadle secrets set {secret} --stage {names.stage}"
        write_line({"level": "error", "msg": f"the secret {secret} has no value on this stage: {hint}"})


def _client() -> AwsClient:
    """A client that is there before the first invocation says in which account this is."""
    from treadle.aws.client import AwsClient

    region = os.environ["AWS_REGION"]
    partition = next((partition for start, partition in _PARTITIONS if region.startswith(start)), "aws")
    deadline = time.monotonic() + FETCH_SECONDS
    return AwsClient(region, partition, lambda: deadline - time.monotonic())
