"""The stack that each account and region needs once: the bucket for the zips of functions and for long templates."""

from __future__ import annotations

import json
import uuid
from typing import Any

from botocore.exceptions import ClientError

from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aftermath import delete_stack
from treadle_infra.deploy.aws_errors import error_code, error_message
from treadle_infra.deploy.events import StackEvent, follow, last_event_id
from treadle_infra.deploy.happenings import Tell, Working
from treadle_infra.deploy.stacks import Stack, find_stack, look_command
from treadle_infra.deploy.submission import TEMPLATES_PREFIX

STACK_NAME = "treadle-bootstrap"
_VERSION = "1"
_BUCKET_OUTPUT = "ArtifactBucketName"
_VERSION_OUTPUT = "Version"


def artifact_bucket(account: Account, tell: Tell) -> str:
    """The name of the account's artifact bucket in this region, made first where it is missing.

    CloudFormation chooses the name, so that nobody can take it beforehand.
    Raises TreadleError `bootstrap-failed`.
    """
    client = account.cloudformation
    stack = find_stack(client, STACK_NAME)
    if stack is not None and stack.is_busy:
        _wait(account, stack.id, None)
        stack = find_stack(client, STACK_NAME)
    if stack is not None and stack.was_never_created:
        delete_stack(account, stack)
        stack = None
    if stack is None or stack.outputs.get(_VERSION_OUTPUT) != _VERSION:
        tell(Working(f"preparing {account.id} in {account.region}: the stack {STACK_NAME} with the artifact bucket"))
        stack = _make(account, stack)
    bucket = stack.outputs.get(_BUCKET_OUTPUT)
    if bucket is None:
        raise TreadleError(
            "bootstrap-failed",
            f"the stack {STACK_NAME} is {stack.status} and names no artifact bucket",
            hint=look_command(account, STACK_NAME),
        )
    return bucket


def bootstrap_template(*, tls_only: bool = True) -> dict[str, Any]:
    """An encrypted, private bucket that answers over TLS only: a local endpoint without TLS would be locked out.

    Zips stay: a stack that rolls back needs those of the version before. Templates are read once.
    """
    bucket: dict[str, Any] = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {"Id": "templates", "Status": "Enabled", "Prefix": TEMPLATES_PREFIX, "ExpirationInDays": 30},
                    {
                        "Id": "broken-uploads",
                        "Status": "Enabled",
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    },
                ]
            },
        },
    }
    arn = {"Fn::GetAtt": ["ArtifactBucket", "Arn"]}
    refusal = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, {"Fn::Sub": "${ArtifactBucket.Arn}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "ArtifactBucket"},
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [refusal]},
        },
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What Treadle needs once in each account and region: a bucket for artifacts",
        "Resources": {"ArtifactBucket": bucket} | ({"ArtifactBucketPolicy": policy} if tls_only else {}),
        "Outputs": {
            _BUCKET_OUTPUT: {"Description": "Where the zips of functions are", "Value": {"Ref": "ArtifactBucket"}},
            _VERSION_OUTPUT: {"Description": "The version of this stack's template", "Value": _VERSION},
        },
    }


def _make(account: Account, present: Stack | None) -> Stack:
    client = account.cloudformation
    has_tls = account.endpoint_url is None or account.endpoint_url.startswith("https:")
    body = json.dumps(bootstrap_template(tls_only=has_tls), indent=1)
    token = f"treadle-{uuid.uuid4().hex}"
    after = None if present is None else last_event_id(client, present.id)
    try:
        if present is None:
            tags = [{"Key": "treadle:bootstrap", "Value": _VERSION}]
            stack_id = client.create_stack(
                StackName=STACK_NAME,
                TemplateBody=body,
                ClientRequestToken=token,
                Tags=tags,  # type: ignore[arg-type]
            )["StackId"]
        else:
            stack_id = present.id
            client.update_stack(StackName=stack_id, TemplateBody=body, ClientRequestToken=token)
    except ClientError as problem:
        if error_code(problem) != "AlreadyExistsException" and "No updates" not in error_message(problem):
            raise
        stack_id = STACK_NAME  # somebody else is making it right now
    return _wait(account, stack_id, after)


def _wait(account: Account, stack_id: str, after: str | None) -> Stack:
    reasons: list[str] = []

    def see(event: StackEvent) -> None:
        if event.failed and event.reason:
            reasons.append(f"{event.type}: {event.reason}")

    status = follow(account.cloudformation, stack_id, after, see, poll_seconds=account.poll_seconds)
    stack = find_stack(account.cloudformation, stack_id)
    if stack is None or "ROLLBACK" in status or status.endswith("_FAILED"):
        raise TreadleError(
            "bootstrap-failed",
            f"the stack {STACK_NAME} came to {status}: {'; '.join(reasons) or 'AWS gives no reason'}",
            hint="mend what AWS says, and deploy again",
        )
    return stack
