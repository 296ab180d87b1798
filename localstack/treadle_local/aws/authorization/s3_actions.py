"""The permissions that S3's operations need.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from treadle_local.aws.authorization.arns import ANY
from treadle_local.aws.service import Params, Region, Target

# Operations whose action has another name; where the operation names a version, the action's name says so too.
_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
for _kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics"):
    _ACTIONS[f"GetBucket{_kind}Configuration"] = _ACTIONS[f"ListBucket{_kind}Configurations"] = (
        f"Get{_kind}Configuration"
    )
    _ACTIONS[f"PutBucket{_kind}Configuration"] = _ACTIONS[f"DeleteBucket{_kind}Configuration"] = (
        f"Put{_kind}Configuration"
    )
_OF_VERSIONS = {
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}
_LISTING_KEYS = {"Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "MaxKeys": "s3:max-keys"}


def targets(_region: Region, operation: str, params: Params) -> Sequence[Target]:
    """What an operation of S3 needs to be allowed."""
    if "Bucket" not in params:
        return [Target(f"s3:{_ACTIONS.get(operation, operation)}", ANY)]
    bucket = f"arn:aws:s3:::{params['Bucket']}"
    match operation:
        case "DeleteObjects":
            return [_on_object("DeleteObject", bucket, entry) for entry in params["Delete"]["Objects"]]
        case "CopyObject" | "UploadPartCopy":
            return [_source(str(params["CopySource"])), *_on_written_object(operation, bucket, params)]
        case "PutObject" | "CreateMultipartUpload":
            return _on_written_object(operation, bucket, params)
        case "GetObjectAttributes":
            read = _on_object("GetObject", bucket, params)
            return [read, _on_object(operation, bucket, params)]
        case _ if "Key" in params:
            return [_on_object(operation, bucket, params)]
        case _:
            context = {key: str(params[name]) for name, key in _LISTING_KEYS.items() if name in params}
            return [Target(f"s3:{_ACTIONS.get(operation, operation)}", bucket, context)]


def _on_written_object(operation: str, bucket: str, params: Params) -> list[Target]:
    """What a write needs, which may also be given tags, an access list and a lock."""
    also = {
        "Tagging": "PutObjectTagging",
        "ACL": "PutObjectAcl",
        "ObjectLockMode": "PutObjectRetention",
        "ObjectLockLegalHoldStatus": "PutObjectLegalHold",
    }
    extra = [_on_object(action, bucket, {"Key": params["Key"]}) for name, action in also.items() if params.get(name)]
    return [_on_object(operation, bucket, params), *extra]


def _on_object(operation: str, bucket: str, params: Mapping[str, object]) -> Target:
    action = _ACTIONS.get(operation, operation)
    context: dict[str, str] = {}
    if params.get("VersionId"):
        action = _OF_VERSIONS.get(action, action)
        context["s3:VersionId"] = str(params["VersionId"])
    return Target(f"s3:{action}", f"{bucket}/{params['Key']}", context)


def _source(copied: str) -> Target:
    """The right to read what is copied: `bucket/key`, percent-encoded, perhaps with `?versionId=` after it."""
    path, _, version = copied.partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return _on_object("GetObject", f"arn:aws:s3:::{bucket}", {"Key": key, "VersionId": version})
