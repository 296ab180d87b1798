"""Brings the zips of functions into the artifact bucket: by content, in parallel, none that is there already."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from treadle_infra.artifacts.model import Artifact
from treadle_infra.deploy.account import Account
from treadle_infra.deploy.aws_errors import error_code
from treadle_infra.deploy.happenings import Uploaded
from treadle_infra.synth.assembly import Assembly
from treadle_infra.synth.manifest import artifact_object_key

_PARALLEL = 12


def upload_artifacts(account: Account, bucket: str, assembly: Assembly) -> Uploaded:
    """How many zips there are and how many had to be sent; an object's key says what is in it, so it never changes."""
    started = time.perf_counter()
    account.s3  # noqa: B018 - clients are not to be made by several threads at once

    def bring(artifact: Artifact) -> int:
        key = artifact_object_key(assembly.app, artifact)
        return 0 if _is_there(account, bucket, key) else _send(account, bucket, key, artifact)

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="upload") as pool:
        sent = [size for size in pool.map(bring, _different(assembly.artifacts)) if size]
    return Uploaded(len(assembly.artifacts), len(sent), sum(sent), time.perf_counter() - started)


def _different(artifacts: tuple[Artifact, ...]) -> list[Artifact]:
    return list({artifact.key: artifact for artifact in artifacts}.values())


def _is_there(account: Account, bucket: str, key: str) -> bool:
    try:
        account.s3.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account.id)
    except ClientError as problem:
        if error_code(problem) in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def _send(account: Account, bucket: str, key: str, artifact: Artifact) -> int:
    content = artifact.path.read_bytes()
    account.s3.put_object(
        Bucket=bucket, Key=key, Body=content, ContentType="application/zip", ExpectedBucketOwner=account.id
    )
    return len(content)
