"""Where a service of AWS answers: the environment's word first, as in AWS's own SDKs, else the region's endpoint.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import os
import re

from treadle.errors import ConfigurationError

_DNS_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-us-gov": "amazonaws.com",
}
CONNECTIONS_SERVICE = "execute-api"
_WEBSOCKET_API = r"(https?://([^/.]+)[^/]*)/([^/]+)/?"
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:]+\]|[^/:?#\[\]]+)(?::(\d+))?/?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint:
    """A service's address. `host_header` has the port only where it is not the scheme's own."""

    __slots__ = ("host", "host_header", "port", "secure", "url")

    def __init__(self, url: str) -> None:
        match = _URL.fullmatch(url)
        if match is None:
            raise ConfigurationError(f"`{url}` is no endpoint URL such as https://sqs.eu-west-1.amazonaws.com")
        scheme, host, port = match.groups()
        default_port = _DEFAULT_PORTS[scheme]
        self.port = int(port or default_port)
        self.host = host.strip("[]")
        self.host_header = host if self.port == default_port else f"{host}:{self.port}"
        self.secure = scheme == "https"
        self.url = f"{scheme}://{self.host_header}"


def endpoint_of(service: str, region: str, partition: str) -> Endpoint:
    """The endpoint of `service` (`dynamodb`, `execute-api`, `sns`, `sqs`); `execute-api` is the app's WebSocket API.

    Raises: ConfigurationError.
    """
    if service == CONNECTIONS_SERVICE:
        return connections_endpoint()[0]
    url = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    if url:
        return Endpoint(url)
    suffix = _DNS_SUFFIXES.get(partition)
    if suffix is None:
        raise ConfigurationError(f"the partition {partition} is unknown; set AWS_ENDPOINT_URL_{service.upper()}")
    return Endpoint(f"https://{service}.{region}.{suffix}")


def connections_endpoint() -> tuple[Endpoint, str]:
    """Where the app's WebSocket API takes calls about its connections, and what their paths begin with.

    `TREADLE_WS_ENDPOINT` says it: `https://<api-id>.execute-api.<region>.amazonaws.com/<stage>`. Where
    `AWS_ENDPOINT_URL` is set, that is the place, and its paths tell the APIs apart.
    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
    Raises: ConfigurationError.
    """
    url = os.environ.get("TREADLE_WS_ENDPOINT", "")
    found = re.fullmatch(_WEBSOCKET_API, url)
    if found is None:
        raise ConfigurationError(f"TREADLE_WS_ENDPOINT is `{url}`, which is no address of a WebSocket API's stage")
    address, api_id, stage = found.groups()
    elsewhere = os.environ.get("AWS_ENDPOINT_URL")
    if elsewhere:
        return Endpoint(elsewhere), f"/_aws/execute-api/{api_id}/{stage}"
    return Endpoint(address), f"/{stage}"
