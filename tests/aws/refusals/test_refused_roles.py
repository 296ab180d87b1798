"""Roles that cannot be had: missing, trusting somebody else, or not the caller's to pass on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.aws import ACCOUNT, refusal, unique
from support.dev import Dev
from support.lambda_account import Account, make_queue, make_role
from support.policies import allow
from support.roles import new_session
from support.scheduled import rule

MISSING = f"arn:aws:iam::{ACCOUNT}:role/nobody-has-this-name"
Attempt = Callable[[Dev, Account, Any, str], object]


def create_function(emulator: Dev, account: Account, credentials: Any, role: str) -> object:
    return emulator.client("lambda", credentials).create_function(**account.settings() | {"Role": role})


def change_function(emulator: Dev, account: Account, credentials: Any, role: str) -> object:
    client = emulator.client("lambda", credentials)
    return client.update_function_configuration(FunctionName=account.make(), Role=role)


def create_schedule(emulator: Dev, account: Account, credentials: Any, role: str) -> object:
    return emulator.client("scheduler", credentials).create_schedule(
        Name=unique("schedule"),
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED",
        Target={"Arn": make_queue(emulator)[1], "RoleArn": role},
    )


def put_rule(emulator: Dev, account: Account, credentials: Any, role: str) -> object:
    with rule(emulator, "rate(1 day)", State="DISABLED") as name:
        return emulator.client("events", credentials).put_rule(
            Name=name, ScheduleExpression="rate(1 day)", State="DISABLED", RoleArn=role
        )


def put_target(emulator: Dev, account: Account, credentials: Any, role: str) -> object:
    with rule(emulator, "rate(1 day)", State="DISABLED") as name:
        target = {"Id": "t", "Arn": make_queue(emulator)[1], "RoleArn": role}
        return emulator.client("events", credentials).put_targets(Rule=name, Targets=[target])


def create_integration(emulator: Dev, account: Account, credentials: Any, role: str) -> object:
    api = emulator.client("apigatewayv2").create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
    return emulator.client("apigatewayv2", credentials).create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:any",
        PayloadFormatVersion="2.0",
        CredentialsArn=role,
    )


PASSING: dict[str, tuple[Attempt, str, str]] = {
    "create function": (create_function, "lambda.amazonaws.com", "lambda:CreateFunction"),
    "change function": (change_function, "lambda.amazonaws.com", "lambda:UpdateFunctionConfiguration"),
    "create schedule": (create_schedule, "scheduler.amazonaws.com", "scheduler:CreateSchedule"),
    "put rule": (put_rule, "events.amazonaws.com", "events:PutRule"),
    "put target": (put_target, "events.amazonaws.com", "events:PutTargets"),
    "create integration": (create_integration, "apigateway.amazonaws.com", "apigateway:*"),
}


@pytest.mark.parametrize("what", list(PASSING))
def test_a_role_is_passed_on_by_who_may_pass_it(emulator: Dev, account: Account, what: str) -> None:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    attempt, principal, action = PASSING[what]
    role = make_role(emulator, principal)
    may_not = new_session(emulator, allow([action]))
    other = make_role(emulator, principal)
    may_another = new_session(emulator, allow([action]), allow(["iam:PassRole"], other))
    may = new_session(emulator, allow([action]), allow(["iam:PassRole"], role))
    for session in (may_not, may_another):
        code, message = refusal(attempt, emulator, account, session, role)
        assert code == "AccessDeniedException"
        assert f"not authorized to perform: iam:PassRole on resource: {role}" in message
    attempt(emulator, account, may, role)


CANNOT_BE_ASSUMED = {
    "create function": ("InvalidParameterValueException", "cannot be assumed by Lambda"),
    "change function": ("InvalidParameterValueException", "cannot be assumed by Lambda"),
    "create schedule": ("ValidationException", "must allow AWS EventBridge Scheduler to assume the role"),
    "put rule": ("ValidationException", "cannot be assumed by principal 'events.amazonaws.com'"),
    "put target": ("ValidationException", "cannot be assumed by principal 'events.amazonaws.com'"),
}


@pytest.mark.parametrize("what", list(CANNOT_BE_ASSUMED))
def test_a_role_is_there_and_trusts_the_service(emulator: Dev, account: Account, what: str) -> None:
    """Sources: https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html,
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
    """
    attempt, principal, _ = PASSING[what]
    wanted, words = CANNOT_BE_ASSUMED[what]
    for role in (MISSING, make_role(emulator, "ec2.amazonaws.com")):
        code, message = refusal(attempt, emulator, account, None, role)
        assert (code, words in message) == (wanted, True), message
    attempt(emulator, account, None, make_role(emulator, principal))


def test_an_integration_with_a_role_that_cannot_be_had_fails_when_it_is_asked(emulator: Dev, account: Account) -> None:
    """API Gateway takes any role and any function's ARN; who asks gets a 500 where they are not to be had.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
    """
    gateway = emulator.client("apigatewayv2")
    api = gateway.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{account.make()}"
    able = make_role(emulator, "apigateway.amazonaws.com", ("lambda:InvokeFunction",))

    def status(path: str, **settings: str) -> int:
        integration = gateway.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            PayloadFormatVersion="2.0",
            **{"IntegrationUri": function} | settings,
        )["IntegrationId"]
        gateway.create_route(ApiId=api, RouteKey=f"GET /{path}", Target=f"integrations/{integration}")
        return emulator.request(emulator.endpoint, "GET", f"/_aws/execute-api/{api}/live/{path}", None, None).status

    assert status("able", CredentialsArn=able) == 200
    assert status("missing", CredentialsArn=MISSING) == 500
    assert status("untrusting", CredentialsArn=make_role(emulator, actions=("lambda:InvokeFunction",))) == 500
    assert status("powerless", CredentialsArn=make_role(emulator, "apigateway.amazonaws.com")) == 500
    assert status("without") == 500
    account.client.add_permission(
        FunctionName=function,
        StatementId="route",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api}/live/GET/let-in",
    )
    assert status("let-in") == 200
    assert status("other") == 500
    assert status("nothing", CredentialsArn=able, IntegrationUri=f"{function}-none") == 500


def test_a_trust_policy_with_a_condition_is_kept_to(emulator: Dev, account: Account) -> None:
    """Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html"""
    name = unique("role")

    def trusting(account_id: str) -> str:
        return json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "scheduler.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
                    }
                ],
            }
        )

    iam = emulator.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting("999999999999"))["Role"]["Arn"]
    assert refusal(create_schedule, emulator, account, None, role)[0] == "ValidationException"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusting(ACCOUNT))
    create_schedule(emulator, account, None, role)
