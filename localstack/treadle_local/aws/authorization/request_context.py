"""The condition keys of a call, made only where a policy's condition asks for one.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from treadle_local.aws.service import Target
from treadle_local.http.messages import Request

ContextValues = Mapping[str, str | Sequence[str]]
Source = Callable[[], ContextValues]

_RESOURCE_TAG = "aws:resourcetag/"
_MOMENTS: Mapping[str, Callable[[float], str]] = {
    "aws:currenttime": lambda now: datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "aws:epochtime": lambda now: str(int(now)),
}
_TAG_MEMBERS = ("Tags", "tags", "TagSet", "TagList")
_TAG_KEY_MEMBERS = ("TagKeys", "tagKeys", "Keys")


def context_of(*sources: ContextValues) -> dict[str, Sequence[str]]:
    """The context that conditions are decided in; later sources win."""
    context: dict[str, Sequence[str]] = {}
    for source in sources:
        context.update({key.lower(): (value,) if isinstance(value, str) else value for key, value in source.items()})
    return context


class LazyContext:
    """The keys of a call: the target's own, the caller's, the time, the request's, and the resource's tags.

    Each is made when a condition first asks for one of its keys; `caller` is in the form that `context_of` gives.
    """

    __slots__ = ("_caller", "_now", "_own", "_request", "_source", "_tags", "_tags_of", "_target")

    def __init__(
        self,
        target: Target,
        caller: Mapping[str, Sequence[str]],
        now: Callable[[], float],
        source: Source | None,
        tags_of: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._target = target
        self._caller = caller
        self._now = now
        self._source = source
        self._tags_of = tags_of
        self._own: dict[str, Sequence[str]] | None = None
        self._request: dict[str, Sequence[str]] | None = None
        self._tags: dict[str, Sequence[str]] | None = None

    def get(self, key: str, /) -> Sequence[str] | None:
        """The values of a key in lower case; None where the call has no such key."""
        if self._own is None:
            self._own = context_of(self._target.context)
        found = self._own.get(key) or self._caller.get(key)
        if found is not None:
            return found
        if key in _MOMENTS:
            return (_MOMENTS[key](self._now()),)
        if key.startswith(_RESOURCE_TAG):
            if self._tags is None:
                self._tags = context_of(self._tags_of(self._target.resource))
            return self._tags.get(key.removeprefix(_RESOURCE_TAG))
        if self._source is None:
            return None
        if self._request is None:
            self._request = context_of(self._source())
        return self._request.get(key)


def request_keys(request: Request, params: Mapping[str, Any]) -> ContextValues:
    """The keys that an HTTP request brings, and the tags that its parameters set or remove."""
    keys: dict[str, str | Sequence[str]] = {
        "aws:SourceIp": request.client,
        "aws:SecureTransport": "false",
        "aws:ViaAWSService": "false",
    }
    if agent := request.header("user-agent"):
        keys["aws:UserAgent"] = agent
    if referer := request.header("referer"):
        keys["aws:Referer"] = referer
    keys.update(tag_keys(params))
    for name, value in request.headers:
        if name.startswith("x-amz-"):
            keys[f"s3:{name}"] = value
    return keys


def tag_keys(params: Mapping[str, Any]) -> ContextValues:
    """`aws:RequestTag/…` and `aws:TagKeys` of a call's parameters, in whichever of AWS's shapes they have tags."""
    tags = dict(_tags(params))
    names = list(tags)
    for member in _TAG_KEY_MEMBERS:
        given: object = params.get(member)
        if isinstance(given, list):
            names += [key for key in cast("list[object]", given) if isinstance(key, str)]
    keys: dict[str, str | Sequence[str]] = {f"aws:RequestTag/{name}": value for name, value in tags.items()}
    if names:
        keys["aws:TagKeys"] = names
    return keys


def _tags(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    for member in _TAG_MEMBERS:
        given: object = params.get(member)
        if isinstance(given, Mapping):
            return [(str(name), str(value)) for name, value in cast("Mapping[object, object]", given).items()]
        if isinstance(given, list):
            pairs = [cast("Mapping[str, object]", tag) for tag in cast("list[object]", given) if isinstance(tag, dict)]
            return [
                (str(tag.get("Key", tag.get("key", ""))), str(tag.get("Value", tag.get("value", "")))) for tag in pairs
            ]
    return []


@lru_cache(4096)
def context_of_service(account: str, service: str, source_arn: str | None) -> Mapping[str, Sequence[str]]:
    """The context of what an AWS service does in its own name for one of the account's resources."""
    return context_of(service_keys(account, service, source_arn))


def service_keys(account: str, service: str, source_arn: str | None) -> ContextValues:
    """The keys of what an AWS service does in its own name for one of the account's resources."""
    keys = {
        "aws:SourceAccount": account,
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": service,
        "aws:SecureTransport": "true",
    }
    return keys if source_arn is None else {**keys, "aws:SourceArn": source_arn}
