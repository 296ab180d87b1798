"""The permissions that Lambda's operations need.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

from __future__ import annotations

from collections.abc import Sequence

from treadle_local.aws.authorization.arns import ANY, named, pass_role
from treadle_local.aws.service import Params, Region, Target

_ACTIONS = {
    "GetLayerVersionByArn": "GetLayerVersion",
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
}
_ARN_SEGMENTS = 7


def targets(region: Region, operation: str, params: Params) -> Sequence[Target]:
    """What an operation of Lambda needs to be allowed."""
    action = f"lambda:{_ACTIONS.get(operation, operation)}"
    passed = pass_role(params.get("Role"), "lambda")
    match operation:
        case "CreateEventSourceMapping":
            return [Target(action, ANY, {"lambda:FunctionArn": function_arn(region, params)})]
        case "ListEventSourceMappings":
            return [Target(action, ANY)]
        case "GetEventSourceMapping" | "UpdateEventSourceMapping" | "DeleteEventSourceMapping":
            context = {"lambda:FunctionArn": function_arn(region, params)} if "FunctionName" in params else {}
            return [Target(action, region.arn("lambda", f"event-source-mapping:{params['UUID']}"), context)]
        case _ if "FunctionName" in params:
            return [Target(action, function_arn(region, params)), *passed]
        case "TagResource" | "UntagResource" | "ListTags":
            return [Target(action, str(params["Resource"]))]
        case "GetLayerVersionByArn":
            return [Target(action, str(params["Arn"]))]
        case _ if "LayerName" in params:
            version = f":{params['VersionNumber']}" if "VersionNumber" in params else ""
            return [Target(action, named(region, "lambda", "layer:", params["LayerName"]) + version)]
        case _:
            return [Target(action, ANY)]


def function_arn(region: Region, params: Params) -> str:
    """The ARN of the function that a call names in any of Lambda's ways, with the version or alias that it asks for.

    The ways are `name`, `name:alias`, `account:function:name` and the ARN; the alias may also be `Qualifier`.
    Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    name = str(params["FunctionName"])
    _, function, rest = name.partition("function:")
    arn = region.arn("lambda", f"function:{rest if function else name}") if not name.startswith("arn:") else name
    qualifier = params.get("Qualifier")
    return f"{arn}:{qualifier}" if qualifier and arn.count(":") < _ARN_SEGMENTS else arn
