"""Requests to S3 before moto sees them: what it would take and AWS refuses, and what it would misread.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params, Target
from treadle_local.http.messages import Request

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.))+[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_BUCKET_LENGTHS = range(3, 64)
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_BUCKET_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*\.s3[.-]|s3[.-]")
# Lambda's, API Gateway's and Scheduler's paths, and those of the emulator and of queues.
_OTHERS_PATH = re.compile(
    r"/(?:\d{4}-\d\d-\d\d|v[12]/|schedule|tags/|restapis|apikeys|service/|_|@connections|\d{12}/)"
)
_KEY_BYTES = 1024
_METADATA = "x-amz-meta-"
_METADATA_BYTES = 2048
_FORM = "application/x-www-form-urlencoded"
_NEW_OBJECTS = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_CHECKSUM = "x-amz-checksum-"
_ALGORITHM = "x-amz-sdk-checksum-algorithm"
_ALGORITHMS = frozenset({"crc32", "crc32c", "crc64nvme", "sha1", "sha256"})
# The others would need a library of their own.
_DIGESTS: Mapping[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}


def prepare(operation: str, params: Params, request: Request) -> None:
    """Makes a request fit for moto.

    Raises: AwsError: InvalidBucketName, KeyTooLongError, MetadataTooLarge, BadDigest.
    """
    if operation == "CreateBucket":
        _check_bucket(str(params.get("Bucket", "")))
    if operation in _NEW_OBJECTS:
        _check_object(str(params.get("Key", "")), request)
    if operation in {"PutObject", "UploadPart"}:
        _check_sums(request)
        # moto would take such a body for a form, and keep an empty object
        request.headers[:] = [
            (name, "binary/octet-stream" if name == "content-type" and value.startswith(_FORM) else value)
            for name, value in request.headers
        ]


def is_for_s3(request: Request) -> bool:
    """Whether a request without a signature can only be meant for S3, whose refusals are XML.

    Others name their operation in a header, ask by POST at the root or have a version in their path.
    """
    if request.header("x-amz-target") or request.header("smithy-protocol"):
        return False
    if _BUCKET_HOST.match(request.header("host")):
        return True
    names_something = len(request.path) > 1 and not _OTHERS_PATH.match(request.path)
    return names_something or (request.method != "POST" and request.path == "/" and "Action=" not in request.query)


def has_expired(query: str) -> bool:
    """Whether the time of a presigned address is over, by the machine's clock, as whoever signed it had no other.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
    """
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    try:
        if "X-Amz-Date" in fields:
            signed_at = datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
            return signed_at + int(fields["X-Amz-Expires"]) < time.time()
        return int(fields["Expires"]) < time.time()
    except (KeyError, ValueError):
        return False


def wanted_to_know_of(operation: str, params: Params) -> Sequence[Target]:
    """What a role must be allowed besides, to be told that an object is not there; without it, it is refused.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions"
    """
    if operation not in {"GetObject", "HeadObject"}:
        return ()
    return (Target("s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}"),)


def _check_bucket(name: str) -> None:
    is_legal = (
        len(name) in _BUCKET_LENGTHS
        and _BUCKET.fullmatch(name)
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )
    if not is_legal:
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", fields={"BucketName": name})


def _check_object(key: str, request: Request) -> None:
    key_bytes = len(key.encode())
    if key_bytes > _KEY_BYTES:
        sizes = {"Size": str(key_bytes), "MaxSizeAllowed": str(_KEY_BYTES)}
        raise AwsError("KeyTooLongError", "Your key is too long", fields=sizes)
    metadata_bytes = sum(
        len(name) - len(_METADATA) + len(value.encode())
        for name, value in request.headers
        if name.startswith(_METADATA)
    )
    if metadata_bytes > _METADATA_BYTES:
        sizes = {"Size": str(metadata_bytes), "MaxSizeAllowed": str(_METADATA_BYTES)}
        raise AwsError(
            "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", fields=sizes
        )


def _check_sums(request: Request) -> None:
    """Checks what the client has summed up, and says which algorithm that is, without which moto forgets it."""
    found = {
        name.removeprefix(_CHECKSUM): value
        for name, value in request.headers
        if name.removeprefix(_CHECKSUM) in _ALGORITHMS and name.startswith(_CHECKSUM)
    }
    if request.header("x-amz-content-sha256").startswith("STREAMING-"):
        return  # the body has the sums of its chunks in it
    for algorithm, value in found.items():
        digest = _DIGESTS.get(algorithm)
        if digest is not None and base64.b64encode(digest(request.body)).decode("ascii") != value:
            message = f"The {algorithm.upper()} you specified did not match the calculated checksum."
            raise AwsError("BadDigest", message)
    if found and not request.header(_ALGORITHM):
        request.headers.append((_ALGORITHM, next(iter(found)).upper()))
