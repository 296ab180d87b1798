"""The stack that an account needs once passes cfn-lint, and its bucket refuses what has no TLS."""

from __future__ import annotations

import json

import pytest

from treadle_infra.deploy.bootstrap import bootstrap_template


@pytest.mark.parametrize("tls_only", [True, False])
def test_cfn_lint_has_nothing_to_say(tls_only: bool) -> None:
    from cfnlint.api import lint  # type: ignore[import-untyped]

    found = lint(json.dumps(bootstrap_template(tls_only=tls_only), indent=1))

    assert [str(match) for match in found] == []


def test_the_bucket_is_private_encrypted_and_answers_over_tls_only() -> None:
    resources = bootstrap_template()["Resources"]
    bucket, policy = resources["ArtifactBucket"]["Properties"], resources["ArtifactBucketPolicy"]["Properties"]

    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
