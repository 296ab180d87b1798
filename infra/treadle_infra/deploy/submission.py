"""How a template reaches CloudFormation: in the request, or through the artifact bucket where it is too long."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from treadle_infra.deploy.account import Account
from treadle_infra.synth.entries import Object
from treadle_infra.synth.template import template_text

INLINE_LIMIT_BYTES = 51_200
"""Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""

TEMPLATES_PREFIX = "templates/"


@dataclass(frozen=True, slots=True)
class Submission:
    """Exactly one of the two is set."""

    body: str | None = None
    url: str | None = None


def submit_template(account: Account, bucket: str, template: Object) -> Submission:
    """The template as an argument of a request; a long one is in the bucket when this returns."""
    text = template_text(template)
    content = text.encode()
    if len(content) <= INLINE_LIMIT_BYTES:
        return Submission(body=text)
    key = f"{TEMPLATES_PREFIX}{hashlib.sha256(content).hexdigest()}.json"
    account.s3.put_object(
        Bucket=bucket, Key=key, Body=content, ContentType="application/json", ExpectedBucketOwner=account.id
    )
    # the form with the bucket in the path is taken by S3 and by every emulator of it
    return Submission(url=f"{account.s3.meta.endpoint_url.rstrip('/')}/{bucket}/{key}")
