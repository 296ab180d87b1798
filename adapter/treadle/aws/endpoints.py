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
    """The endpoint of `service` (`dynamodb`, `sns`, `sqs`).

    Raises: ConfigurationError.
    """
    url = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    if url:
        return Endpoint(url)
    suffix = _DNS_SUFFIXES.get(partition)
    if suffix is None:
        raise ConfigurationError(f"the partition {partition} is unknown; set AWS_ENDPOINT_URL_{service.upper()}")
    return Endpoint(f"https://{service}.{region}.{suffix}")
