"""Whose AWS account is deployed to, in which region, and the clients that talk to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from treadle_infra.app.findings import TreadleError
from treadle_infra.deploy.aws_errors import aws_errors

if TYPE_CHECKING:
    import boto3
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

_CONNECTIONS = 16
"""As many at once as there are uploads, and some."""


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """What a person may choose; what is None comes from the environment and AWS's own configuration files."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account and region that somebody is signed in to. `endpoint_url` is None on AWS itself."""

    id: str
    region: str
    partition: str
    identity_arn: str
    endpoint_url: str | None
    _session: boto3.session.Session = field(repr=False)
    _chosen_endpoint: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def poll_seconds(self) -> float:
        """How long to wait between two looks at something that AWS is busy with: a local endpoint is quick."""
        return 1.5 if self.endpoint_url is None else 0.15

    def client(self, service: str) -> Any:
        """A client of a service, made once; for services whose types are not at hand."""
        if service not in self._clients:
            self._clients[service] = _client(self._session, service, self._chosen_endpoint)
        return self._clients[service]

    @property
    def cloudformation(self) -> CloudFormationClient:
        return cast("CloudFormationClient", self.client("cloudformation"))

    @property
    def s3(self) -> S3Client:
        return cast("S3Client", self.client("s3"))

    @property
    def sqs(self) -> SQSClient:
        return cast("SQSClient", self.client("sqs"))

    @property
    def dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self.client("dynamodb"))

    @property
    def logs(self) -> CloudWatchLogsClient:
        return cast("CloudWatchLogsClient", self.client("logs"))


def sign_in(options: AccountOptions) -> Account:
    """The account that the credentials at hand belong to.

    Raises TreadleError `aws-credentials-missing`, `aws-credentials-refused`, `aws-profile-unknown`,
    `aws-region-missing`, `aws-not-reachable`, `aws-endpoint-invalid`.
    """
    import boto3

    _check_endpoint(options.endpoint_url)
    with aws_errors():
        # boto3 knows AWS_DEFAULT_REGION only; all other tools of AWS's take AWS_REGION first
        chosen_region = options.region or os.environ.get("AWS_REGION") or None
        session = boto3.session.Session(profile_name=options.profile, region_name=chosen_region)
        region = cast("str | None", session.region_name)
        if not region:
            raise TreadleError(
                "aws-region-missing",
                "no AWS region is chosen",
                hint="give --region, set AWS_REGION, or put `region` into the profile",
            )
        sts = _client(session, "sts", options.endpoint_url)
        identity: Mapping[str, str] = sts.get_caller_identity()
        return Account(
            id=identity["Account"],
            region=region,
            partition=sts.meta.partition,
            identity_arn=identity["Arn"],
            endpoint_url=_custom_endpoint(session, options.endpoint_url),
            _session=session,
            _chosen_endpoint=options.endpoint_url,
        )


def _check_endpoint(endpoint_url: str | None) -> None:
    if endpoint_url is not None and urlsplit(endpoint_url).scheme not in ("http", "https"):
        raise TreadleError(
            "aws-endpoint-invalid",
            f"`{endpoint_url}` is not the URL of an endpoint",
            hint="write it with its scheme: http://127.0.0.1:4566",
        )


def _client(session: boto3.session.Session, service: str, endpoint_url: str | None, **more: Any) -> Any:
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6},
        connect_timeout=10,
        max_pool_connections=_CONNECTIONS,
        **more,
    )
    make = cast("Any", session).client
    return make(service, endpoint_url=endpoint_url, config=config)


def _custom_endpoint(session: boto3.session.Session, chosen: str | None) -> str | None:
    """Where CloudFormation answers, if that is not AWS: by option, AWS_ENDPOINT_URL or AWS's configuration files."""
    configured = str(_client(session, "cloudformation", chosen).meta.endpoint_url).rstrip("/")
    plain = _client(session, "cloudformation", None, ignore_configured_endpoint_urls=True)
    return None if configured == str(plain.meta.endpoint_url).rstrip("/") else configured
