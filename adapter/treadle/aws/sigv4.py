"""Signature Version 4 for what the adapter sends: requests without a query string.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import time
from functools import lru_cache
from hashlib import sha256
from hmac import digest

from treadle.aws.percent import percent_encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Credentials:
    """An access key; `session_token` is empty for one that is not temporary."""

    __slots__ = ("access_key_id", "secret_access_key", "session_token")

    def __init__(self, access_key_id: str, secret_access_key: str, session_token: str = "") -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.session_token = session_token


def signed_headers(
    headers: Mapping[str, str],
    body: bytes,
    *,
    host: str,
    service: str,
    region: str,
    credentials: Credentials,
    at_seconds: float,
    method: str = "POST",
    path: str = "/",
    body_sha256: str | None = None,
) -> dict[str, str]:
    """`headers` (names in lower case) and what makes them a signed request: host, date, token, authorization.

    `path` is percent-encoded, without empty and dot segments. `at_seconds` is Unix time as AWS sees it. Every header is
    signed. Not for S3, which signs paths in its own way.
    """
    stamp = _stamp(int(at_seconds))
    complete = {**headers, "host": host, "x-amz-date": stamp}
    if credentials.session_token:
        complete["x-amz-security-token"] = credentials.session_token
    names = sorted(complete)
    signed_names = ";".join(names)
    canonical = "\n".join([f"{name}:{' '.join(complete[name].split())}" for name in names])
    body_hash = body_sha256 or sha256(body).hexdigest()
    request = f"{method}\n{_canonical_path(path)}\n\n{canonical}\n\n{signed_names}\n{body_hash}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_access_key, stamp[:8], region, service)
    signature = digest(key, to_sign.encode(), "sha256").hex()
    complete["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={signed_names}, Signature={signature}"
    )
    return complete


@lru_cache(maxsize=8)
def _stamp(at_seconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_seconds))


@lru_cache(maxsize=4096)
def _canonical_path(path: str) -> str:
    """The path as it is signed: encoded once more than it is sent."""
    return path if path == "/" else percent_encoded(path, "/")


@lru_cache(maxsize=32)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, "aws4_request"):
        key = digest(key, part.encode(), "sha256")
    return key
