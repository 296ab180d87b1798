"""Which queues, topics and functions there are: those whose policies the report on permissions shows."""

from __future__ import annotations

from typing import Any

from treadle_local.aws.service import Params, Region, Result
from treadle_local.aws.services import Services


async def resources_with_policies(services: Services, region: Region) -> list[str]:
    """The ARNs of all queues, topics, functions and their aliases, read by AWS's own operations."""
    arns: list[str] = []
    for page in await _pages(services, "sqs", "ListQueues", {}, "NextToken"):
        arns += [region.arn("sqs", str(url).rsplit("/", 1)[-1]) for url in page.get("QueueUrls", ())]
    for page in await _pages(services, "sns", "ListTopics", {}, "NextToken"):
        arns += [str(topic["TopicArn"]) for topic in page.get("Topics", ())]
    for page in await _pages(services, "lambda", "ListFunctions", {}, "Marker", "NextMarker"):
        for function in page.get("Functions", ()):
            arns.append(str(function["FunctionArn"]))
            arns += await _aliases(services, str(function["FunctionName"]))
    return arns


async def _aliases(services: Services, function: str) -> list[str]:
    named = {"FunctionName": function}
    pages = await _pages(services, "lambda", "ListAliases", named, "Marker", "NextMarker")
    return [str(alias["AliasArn"]) for page in pages for alias in page.get("Aliases", ())]


async def _pages(
    services: Services, service: str, operation: str, params: Params, token: str, next_token: str | None = None
) -> list[Result]:
    pages: list[Result] = []
    wanted: dict[str, Any] = dict(params)
    while True:
        page = await services.call(service, operation, wanted)
        pages.append(page)
        following = page.get(next_token or token)
        if not following:
            return pages
        wanted[token] = following
