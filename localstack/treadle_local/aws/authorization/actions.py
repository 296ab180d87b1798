"""What a call to a service must be allowed to do: IAM's names of the actions, and the ARNs that its parameters name.

SQS, SNS and DynamoDB's item operations know their own.
Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/, where each function names its page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from treadle_local.aws.authorization import event_actions, lambda_actions, s3_actions
from treadle_local.aws.authorization.arns import ANY, first, global_arn, named, pass_role
from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Region, Target
from treadle_local.aws.service_models import operation_model

Rules = Callable[[Region, str, Params], Sequence[Target]]

_LABEL = re.compile(r"\{([^}+]+)\+?\}")
_SUFFIX_OF_SECRET = "-000000"  # noqa: S105 - no password
_GROUP_SUFFIX = ":log-stream:"

# Services whose actions do not begin with botocore's name of the service.
_ACTION_PREFIXES = {
    "apigatewaymanagementapi": "execute-api",
    "dynamodbstreams": "dynamodb",
    "resourcegroupstaggingapi": "tag",
    "stepfunctions": "states",
}


def targets(region: Region, service: str, operation: str, params: Params) -> Sequence[Target]:
    """What the caller must be allowed to do for one operation, by botocore's names and AWS's parameters.

    A service that has no rules here is asked for `service:Operation` on all resources.
    Raises: AwsError ValidationException when the parameters lack what the decision is about.
    """
    rules = _RULES.get(service)
    if rules is not None:
        try:
            return rules(region, operation, params)
        except (AttributeError, KeyError, TypeError) as error:
            reason = f"{operation} lacks a parameter, or has one of a wrong type: {error}"
            raise AwsError("ValidationException", reason) from error
    return [Target(f"{_ACTION_PREFIXES.get(service, service)}:{operation}", ANY)]


def _logs(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_amazoncloudwatchlogs.html. A log group's ARN is asked for with an empty stream after it, as AWS does."""
    action = f"logs:{operation}"
    if operation == "DescribeLogGroups":
        return [Target(action, region.arn("logs", f"log-group:{_GROUP_SUFFIX}"))]
    if arn := first(params, "resourceArn"):
        return [Target(action, arn)]
    groups: list[object] = [
        *(params.get("logGroupNames") or ()),
        *(params.get("logGroupIdentifiers") or ()),
        *filter(None, [params.get("logGroupName") or params.get("logGroupIdentifier")]),
    ]
    stream = params.get("logStreamName", "")
    arns = [named(region, "logs", "log-group:", group).removesuffix(":*") for group in groups]
    passed = pass_role(params.get("roleArn"), "logs")
    return [*(Target(action, f"{arn}{_GROUP_SUFFIX}{stream}") for arn in arns), *passed] or [Target(action, ANY)]


def _iam(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_awsidentityandaccessmanagementiam.html. A path is known only where the call gives it, at creation."""
    context = {"iam:PolicyARN": str(params["PolicyArn"])} if "PolicyArn" in params else {}
    path = str(params.get("Path", "/"))
    for name, kind in _KINDS_OF_IAM.items():
        if name in params:
            return [Target(f"iam:{operation}", global_arn(region, "iam", f"{kind}{path}{params[name]}"), context)]
    return [Target(f"iam:{operation}", first(params, "PolicyArn", "OpenIDConnectProviderArn") or ANY)]


_KINDS_OF_IAM = {
    "RoleName": "role",
    "UserName": "user",
    "GroupName": "group",
    "InstanceProfileName": "instance-profile",
    "PolicyName": "policy",
}


def _sts(_region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_awssecuritytokenservice.html. Who one is may always be asked, whatever the policies say."""
    if operation in {"GetCallerIdentity", "GetSessionToken"}:
        return []
    return [Target(f"sts:{operation}", first(params, "RoleArn") or ANY)]


def _ssm(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_awssystemsmanager.html; parameters only. `Name` may end in a version or label after a colon."""
    names: Sequence[object] = params.get("Names") or [
        value for value in (params.get("Name"), params.get("Path"), params.get("ResourceId")) if value
    ]
    if "Parameter" not in operation and params.get("ResourceType") != "Parameter":
        names = ()
    return [Target(f"ssm:{operation}", _parameter(region, str(name))) for name in names] or [
        Target(f"ssm:{operation}", ANY)
    ]


def _parameter(region: Region, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return region.arn("ssm", f"parameter/{name.removeprefix('/').partition(':')[0]}")


def _secretsmanager(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_awssecretsmanager.html. The ARN ends in six characters that a call by name does not tell.

    Zeros stand for them, which a policy's `-??????` and `-*` match.
    """
    action = f"secretsmanager:{operation}"
    if operation == "CreateSecret":
        return [Target(action, region.arn("secretsmanager", f"secret:{params['Name']}"))]
    if operation == "BatchGetSecretValue":
        each = [_secret(region, name) for name in params.get("SecretIdList") or ()]
        return [Target(action, ANY), *(Target("secretsmanager:GetSecretValue", arn) for arn in each)]
    return [Target(action, _secret(region, params["SecretId"]) if "SecretId" in params else ANY)]


def _secret(region: Region, name: object) -> str:
    text = str(name)
    return text if text.startswith("arn:") else region.arn("secretsmanager", f"secret:{text}{_SUFFIX_OF_SECRET}")


def _cloudwatch(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_amazoncloudwatch.html."""
    action = f"cloudwatch:{operation}"
    if operation == "PutMetricData":
        return [Target(action, ANY, {"cloudwatch:namespace": str(params.get("Namespace", ""))})]
    alarms: Sequence[object] = params.get("AlarmNames") or ([params["AlarmName"]] if "AlarmName" in params else [])
    if operation == "DescribeAlarms" and not alarms:
        alarms = [ANY]
    if alarms:
        return [Target(action, region.arn("cloudwatch", f"alarm:{alarm}")) for alarm in alarms]
    dashboards: Sequence[object] = params.get("DashboardNames") or list(filter(None, [params.get("DashboardName")]))
    if dashboards:
        return [Target(action, global_arn(region, "cloudwatch", f"dashboard/{name}")) for name in dashboards]
    return [Target(action, first(params, "ResourceARN") or ANY)]


def _kms(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_awskeymanagementservice.html. A key named by its alias is asked for by that."""
    action = f"kms:{operation}"
    alias, key = params.get("AliasName"), params.get("KeyId") or params.get("TargetKeyId")
    arns = [named(region, "kms", "", name) for name in (alias,) if name]
    arns += [named(region, "kms", "" if str(key).startswith("alias/") else "key/", key)] if key else []
    return [Target(action, arn) for arn in arns] or [Target(action, ANY)]


def _cloudformation(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_awscloudformation.html. A stack's id is not known from its name, so that any is asked for."""
    action = f"cloudformation:{operation}"
    name = first(params, "StackName")
    if name is None:
        return [Target(action, ANY)]
    stack = named(region, "cloudformation", "stack/", name)
    return [
        Target(action, stack if name.startswith("arn:") else f"{stack}/*"),
        *pass_role(params.get("RoleARN"), "cloudformation"),
    ]


def _dynamodb(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_amazondynamodb.html; the control plane."""
    action = f"dynamodb:{operation}"
    if name := first(params, "TableName", "TargetTableName", "ResourceArn", "TableArn", "BackupArn"):
        return [Target(action, named(region, "dynamodb", "table/", name))]
    if name := first(params, "GlobalTableName"):
        return [Target(action, global_arn(region, "dynamodb", f"global-table/{name}"))]
    return [Target(action, ANY)]


def _dynamodbstreams(_region: Region, operation: str, params: Params) -> Sequence[Target]:
    """list_amazondynamodb.html. A shard iterator begins with the ARN of its stream."""
    iterator = str(params.get("ShardIterator", ""))
    stream = first(params, "StreamArn") or (iterator.partition("|")[0] if iterator.startswith("arn:") else ANY)
    return [Target(f"dynamodb:{operation}", stream)]


def _apigateway(service: str) -> Rules:
    """list_amazonapigatewaymanagement.html (and ...v2.html): the HTTP method is the action, the path the resource."""

    def rules(region: Region, operation: str, params: Params) -> Sequence[Target]:
        model = operation_model(service, operation)
        shape = model.input_shape
        members = shape.members if shape is not None else {}
        names = {member.serialization.get("name", name): name for name, member in members.items()}
        template = str(model.http["requestUri"]).partition("?")[0].removeprefix("/v2")
        path = _LABEL.sub(lambda label: str(params.get(names[label[1]], ANY)), template)
        return [
            Target(f"apigateway:{model.http['method']}", f"arn:aws:apigateway:{region.name}::{path}"),
            *pass_role(first(params, "CredentialsArn", "credentials"), "apigateway"),
        ]

    return rules


_RULES: Mapping[str, Rules] = {
    "apigateway": _apigateway("apigateway"),
    "apigatewayv2": _apigateway("apigatewayv2"),
    "cloudformation": _cloudformation,
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "dynamodbstreams": _dynamodbstreams,
    "events": event_actions.events_targets,
    "iam": _iam,
    "kms": _kms,
    "lambda": lambda_actions.targets,
    "logs": _logs,
    "s3": s3_actions.targets,
    "scheduler": event_actions.scheduler_targets,
    "secretsmanager": _secretsmanager,
    "ssm": _ssm,
    "sts": _sts,
}
