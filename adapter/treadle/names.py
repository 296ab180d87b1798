"""Every physical name of an app's resources: the only module that knows how a name is built.

A name is `<app>--<stage>--<part>[--<suffix>]`. No part contains `--` or begins or ends with a dash, so a name splits in
one way only, and two different things never share a name. Imports and compiles at module level only what a cold start
needs.
"""

from __future__ import annotations

import re

APP_NAME_LIMIT = 28
STAGE_NAME_LIMIT = 12
FUNCTION_NAME_LIMIT = 64
"""Lambda functions and IAM roles. Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""
QUEUE_NAME_LIMIT = 80
"""Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"""
TOPIC_NAME_LIMIT = 256
"""Source: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"""
TABLE_NAME_LIMIT = 255
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""
SCHEDULE_NAME_LIMIT = 64
"""EventBridge rules and schedules. Source: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html"""
TAG_VALUE_LIMIT = 256
"""Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""

FIFO_SUFFIX = ".fifo"
"""What the name of a FIFO queue or topic ends with. Source: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"""

LETS_ALL_IN = "TREADLE_LETS_ALL_IN"
"""A variable that `treadle dev` alone sets to 1: whoever likes follows a stream that says nothing of who may."""
LIVE_ALIAS = "live"

SYSTEM_PREFIX = "_treadle-"
"""What the names of Treadle's own functions begin with; no step may be named so."""
WEBSOCKET = "_treadle-websocket"
"""The function behind the WebSocket API: connections, joins and leaves."""
BROADCAST = "_treadle-broadcast"
"""The function that tells the connections of a stream's changes."""
CHANGES = "_treadle-changes"
"""The function that hands the changes of tables on to the steps that have triggers on them."""

_LOGICAL_ID_NAME_LIMIT = 120
_LEGAL = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")
_HASHED = re.compile(r"-[0-9A-Fa-f]{10}\Z")
_SCOPE = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"


def is_app_name(name: str) -> bool:
    """True where `name` can stand as the app in every physical name."""
    return len(name) <= APP_NAME_LIMIT and re.fullmatch(_SCOPE, name) is not None


def is_stage_name(name: str) -> bool:
    """True where `name` can stand as the stage in every physical name."""
    return len(name) <= STAGE_NAME_LIMIT and re.fullmatch(_SCOPE, name) is not None


def legal_app_name(name: str) -> str:
    """The nearest legal app name, for a folder's or a project's name that was never meant as one."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or not slug[0].isalpha():
        slug = f"app-{slug}".rstrip("-")
    return slug[:APP_NAME_LIMIT].rstrip("-")


def part(name: str, limit: int) -> str:
    """`name` where it is legal and short enough, else a readable slug with ten hex digits of its SHA-256.

    Injective: a legal name that looks as if it had been hashed is hashed too, in upper case as well, since IAM takes
    names that differ in case only for one.
    """
    if name in (WEBSOCKET, BROADCAST, CHANGES):
        return name
    if len(name) <= limit and _LEGAL.fullmatch(name) and not _HASHED.search(name):
        return name
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[: limit - 11].strip("-")
    return f"{slug or 'x'}-{_digest(name)}"


def logical_id(kind: str, *names: str) -> str:
    """The logical id (letters and digits only, at most 255) of the resource of `kind` for these names.

    Injective over the names; kinds are told apart as long as no kind is the beginning of another.
    """
    if len(names) == 1 and re.fullmatch(r"[A-Z][A-Za-z0-9]*", names[0]) and len(names[0]) <= _LOGICAL_ID_NAME_LIMIT:
        looks_hashed = re.search(r"X[0-9a-f]{10}\Z", names[0])
        if not looks_hashed:
            return kind + names[0]
    words = re.findall(r"[A-Za-z0-9]+", " ".join(names))
    slug = "".join(word[0].upper() + word[1:] for word in words)[:_LOGICAL_ID_NAME_LIMIT]
    return f"{kind}{slug}X{_digest(''.join(f'{len(name)}:{name}' for name in names))}"


def tag_value(name: str) -> str:
    """`name` where AWS takes it as the value of a tag, else the readable, hashed form of `part`.

    Injective. Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    """
    legal = all(character.isalnum() or character in " _.:/=+-@" for character in name) and name == name.strip()
    reserved = name.lower().startswith("aws:") or _HASHED.search(name)
    if legal and not reserved and 0 < len(name) <= TAG_VALUE_LIMIT:
        return name
    return part(name, TAG_VALUE_LIMIT)


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


class Names:
    """All physical names of one app on one stage."""

    __slots__ = ("_prefix", "app", "stage")

    def __init__(self, app: str, stage: str) -> None:
        self.app = app
        self.stage = stage
        self._prefix = f"{app}--{stage}--"

    def _name(self, name: str, limit: int, suffix: str = "") -> str:
        tail = f"--{suffix}" if suffix else ""
        return self._prefix + part(name, limit - len(self._prefix) - len(tail)) + tail

    def stack(self) -> str:
        """The app's stack. Stack names allow letters, digits and dashes."""
        return f"{self.app}--{self.stage}"

    def function(self, step: str) -> str:
        return self._name(step, FUNCTION_NAME_LIMIT)

    def layer(self, key: str) -> str:
        """`key` is the SHA-256 (hex) of the packages in it."""
        return f"{self._prefix}packages-{key[:16]}"

    def function_prefix(self) -> str:
        """What every function's name on this stage begins with (the one allowed prefix wildcard)."""
        return self._prefix

    def role(self, step: str) -> str:
        return self._name(step, FUNCTION_NAME_LIMIT)

    def gateway_role(self) -> str:
        return f"{self._prefix}http-api--gateway"

    def log_group(self, step: str) -> str:
        return f"/aws/lambda/{self.function(step)}"

    def _ordered_name(self, name: str, limit: int, suffix: str = "", *, fifo: bool) -> str:
        if not fifo:
            return self._name(name, limit, suffix)
        return self._name(name, limit - len(FIFO_SUFFIX), suffix) + FIFO_SUFFIX

    def queue(self, step: str, *, fifo: bool = False) -> str:
        return self._ordered_name(step, QUEUE_NAME_LIMIT, fifo=fifo)

    def dead_letter_queue(self, step: str, *, fifo: bool = False) -> str:
        return self._ordered_name(step, QUEUE_NAME_LIMIT, "dead", fifo=fifo)

    def topic(self, topic: str, *, fifo: bool = False) -> str:
        return self._ordered_name(topic, TOPIC_NAME_LIMIT, fifo=fifo)

    def topic_prefix(self) -> str:
        """What every topic's name on this stage begins with: the widest grant that an emit to a computed topic gets."""
        return self._prefix

    def state_table(self) -> str:
        return f"{self._prefix}state"

    def stream_table(self, stream: str) -> str:
        return self._name(stream, TABLE_NAME_LIMIT, "stream")

    def connections_table(self) -> str:
        return f"{self._prefix}connections"

    def schedule(self, step: str, number: int) -> str:
        """The rule or schedule of the cron trigger number `number` (from 0) of a step."""
        return self._name(step, SCHEDULE_NAME_LIMIT, "" if number == 0 else str(number + 1))

    def scheduler_role(self) -> str:
        return f"{self._prefix}schedules--scheduler"

    def secret(self, secret: str) -> str:
        """The parameter that holds the value of a secret."""
        return f"/treadle/{self.app}/{self.stage}/{secret}"

    def websocket_api(self) -> str:
        return f"{self.app}--{self.stage}--websocket"

    def http_api(self, number: int = 1) -> str:
        return f"{self.app}--{self.stage}" if number == 1 else f"{self._prefix}http-{number}"
