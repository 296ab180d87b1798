"""Deployment packages: taken from the request or from S3, and refused as Lambda refuses them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import zipfile

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Params
from treadle_local.functions.model import Backing, CodePackage
from treadle_local.functions.refusals import invalid, not_here

# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAXIMUM_UNZIPPED_BYTES = 262_144_000
MAXIMUM_REQUEST_BYTES = 70_167_211
_NOT_YET = ("ImageUri", "S3ObjectVersion", "SourceKMSKeyArn")


def check_source(code: Params, operation: str) -> None:
    """Returns when the parameters name one source of code, and one that can be had here."""
    for member in _NOT_YET:
        if code.get(member):
            raise not_here(f"{member} of a function's code")
    if code.get("S3ObjectStorageMode") == "REFERENCE":
        raise not_here("S3ObjectStorageMode REFERENCE of a function's code")
    zip_file = code.get("ZipFile")
    if zip_file is not None:
        if code.get("S3Bucket") or code.get("S3Key"):
            raise invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        if len(zip_file) > MAXIMUM_REQUEST_BYTES:
            message = f"Request must be smaller than {MAXIMUM_REQUEST_BYTES} bytes for the {operation} operation"
            raise AwsError("RequestEntityTooLargeException", message, status=413)
    elif not (code.get("S3Bucket") and code.get("S3Key")):
        raise invalid("Please provide a source for function code.")


async def fetch(code: Params, backing: Backing) -> CodePackage:
    """The package that the (checked) parameters mean. Raises InvalidParameterValueException."""
    zip_file = code.get("ZipFile")
    if zip_file is not None:
        return package(_decoded(zip_file))
    try:
        return package(await backing.read_object(code["S3Bucket"], code["S3Key"]))
    except AwsError as error:
        if error.code not in ("NoSuchBucket", "NoSuchKey"):
            raise
        raise invalid(
            f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
        ) from error


def package(content: bytes) -> CodePackage:
    """A zip file as a deployment package. Raises InvalidParameterValueException where it is none."""
    if not content:
        raise invalid("Uploaded file must be a non-empty zip")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError) as error:
        raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
    if not members:
        raise invalid("Uploaded file must be a non-empty zip")
    if sum(member.file_size for member in members) >= MAXIMUM_UNZIPPED_BYTES:
        raise invalid(f"Unzipped size must be smaller than {MAXIMUM_UNZIPPED_BYTES} bytes")
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")
    return CodePackage(digest, len(content), content)


def _decoded(zip_file: bytes | str) -> bytes:
    if isinstance(zip_file, bytes):
        return zip_file
    try:
        return base64.b64decode(zip_file, validate=True)
    except binascii.Error as error:
        raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
