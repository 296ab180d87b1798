"""Random apps: a few API steps and a few event steps that write, read, emit and fail, and the requests to send them.

All that an app does is decided by its seed and the requests, whatever order its messages are worked off in: each event
step writes rows of its own, keyed by the message, and requests look at those only when all is quiet.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TEXTS = (
    "plain",
    "",
    "with space",
    "Größe ∑ 北京",
    'quote " and \\ slash',
    "line\nbreak",
    "🙂",
    "<tag>&amp;",
    "0",
    "null",
)
_NUMBERS = (0, 1, -1, 3.5, 1e-7, 12345678901234567890, -0.25, 100, 2**53)


@dataclass(frozen=True, slots=True)
class Request:
    """One request to an app; `body` goes as JSON, None for no body."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class RandomApp:
    """Files by path, the requests that make things happen, and those that look at them when all is quiet."""

    name: str
    files: Mapping[str, str]
    requests: tuple[Request, ...]
    looks: tuple[Request, ...]

    def write(self, folder: Path) -> Path:
        """The project, written into a folder."""
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return folder


def random_app(seed: int) -> RandomApp:
    """The app of a seed; the same each time."""
    return _Maker(seed).app()


class _Maker:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - to be the same each time
        self._seed = seed
        self._topics = [f"topic-{number}.made" for number in range(self._random.randint(1, 4))]
        self._streams = [f"stream{number}" for number in range(self._random.randint(0, 2))]
        self._files: dict[str, str] = {}
        self._requests: list[Request] = []
        self._looks: list[Request] = []

    def app(self) -> RandomApp:
        name = f"same{self._seed}"
        self._files["treadle.toml"] = f'name = "{name}"\n'
        for stream in self._streams:
            self._files[f"steps/{stream}_stream.py"] = (
                f'config = {{"name": "{stream}", "schema": None, "baseConfig": {{"storageType": "default"}}}}\n'
            )
        apis = self._random.randint(1, 3)
        for number in range(apis):
            self._api(number)
        # a step listens to topics of lower numbers than those it emits: no message goes in circles
        for number in range(self._random.randint(1, 3)):
            self._event(number)
        self._report()
        self._echo()
        self._requests.append(Request("GET", "/nowhere"))
        self._requests.append(Request("DELETE", "/api0/x"))
        self._random.shuffle(self._requests)
        return RandomApp(name, self._files, tuple(self._requests), tuple(self._looks))

    def _value(self, depth: int = 0) -> Any:
        pick = self._random.random()
        if pick < 0.35 or depth > 2:
            return self._random.choice(_TEXTS)
        if pick < 0.6:
            return self._random.choice(_NUMBERS)
        if pick < 0.75:
            return self._random.choice((True, False, None))
        if pick < 0.87:
            return [self._value(depth + 1) for _ in range(self._random.randint(0, 3))]
        return {f"k{number}": self._value(depth + 1) for number in range(self._random.randint(0, 3))}

    def _api(self, number: int) -> None:
        emits = self._random.sample(self._topics, self._random.randint(1, len(self._topics)))
        lines = list(self._api_body(number, emits))
        method = self._random.choice(("POST", "PUT", "PATCH"))
        config: dict[str, Any] = {
            "name": f"Api{number}",
            "type": "api",
            "path": f"/api{number}/:id",
            "method": method,
            "emits": emits,
            "flows": ["same"],
        }
        self._step(f"api{number}", config, "req", lines)
        for count in range(self._random.randint(3, 7)):
            query = self._random.choice(("", "?a=1&b=two", "?a=1&a=2", "?x=%20y%2Bz"))
            body = {"id": f"{number}-{count}", "value": self._value(), "boom": self._random.random() < 0.15}
            self._requests.append(
                Request(method, f"/api{number}/{count}{query}", body, {"x-same": self._random.choice(("a", "b,c"))})
            )

    def _api_body(self, number: int, emits: list[str]) -> Iterator[str]:
        """The lines of an API step's handler."""
        yield 'body = req["body"]'
        yield "key = body['id']"
        yield f"before = await context.state.get('api{number}', key)"
        yield f"await context.state.set('api{number}', key, {{'value': body['value'], 'n': {number}}})"
        if self._random.random() < 0.5:
            yield f"again = await context.state.get('api{number}', key)"
        else:
            yield "again = None"
        if self._random.random() < 0.4:
            yield f"gone = await context.state.delete('api{number}', key)"
        else:
            yield "gone = None"
        if self._random.random() < 0.5:
            by = self._random.choice((1, 2.5, -3))
            operations = [{"type": "increment", "path": "n", "by": by}, {"type": "set", "path": "last", "value": by}]
            yield f"again = [again, await context.state.update('counts', 'api{number}', {operations!r})]"
        if self._random.random() < 0.3:
            yield f"again = [again, await context.state.get_group('api{number}')]"
        for stream in self._streams:
            if self._random.random() < 0.6:
                yield f"await context.streams.{stream}.set('group{number}', key, {{'id': key, 'v': body['value']}})"
            if self._random.random() < 0.3:
                yield f"again = [again, await context.streams.{stream}.get_group('group{number}')]"
            if self._random.random() < 0.2:
                yield f"await context.streams.{stream}.delete('group{number}', key)"
        for topic in emits:
            data = f"{{'id': key, 'v': body['value'], 't': {topic!r}, 'hops': 0}}"
            yield _emit(topic, data)
        yield "if body['boom']:"
        yield "    raise ValueError('boom ' + key)"
        yield "context.logger.info('done', {'key': key})"
        if self._random.random() < 0.3:
            yield "again = [again, req['headers'].get('x-same'), req['headers'].get('X-Same'), req['method']]"
        answer = (
            "{'before': before, 'again': again, 'gone': gone, 'path': req['pathParams'], 'query': req['queryParams']}"
        )
        headers = self._random.choice(("", ", 'headers': {'x-made-by': 'a step', 'content-type': 'application/json'}"))
        status = self._random.choice((200, 201, 202, 404, 409))
        yield f"return {{'status': {status}, 'body': {answer}{headers}}}"

    def _event(self, number: int) -> None:
        listens = self._random.sample(self._topics, self._random.randint(1, min(2, len(self._topics))))
        highest = max(self._topics.index(topic) for topic in listens)
        emits = [topic for topic in self._topics[highest + 1 :] if self._random.random() < 0.6]
        config: dict[str, Any] = {
            "name": f"Event{number}",
            "type": "event",
            "subscribes": listens,
            "emits": emits,
            "flows": ["same"],
            "infrastructure": {"queue": {"maxRetries": 0}},
        }
        lines = ["key = f\"{data['id']}.{data['hops']}.{data['t']}\""]
        if self._random.random() < 0.2:  # fails the first time, which must be tried again and then be done once
            config["infrastructure"] = {"queue": {"maxRetries": 1}}
            lines += [
                f"tried = await context.state.get('tried{number}', key)",
                f"await context.state.set('tried{number}', key, (tried or 0) + 1)",
                "if tried is None and len(key) % 3 == 0:",
                "    raise OSError('not yet ' + key)",
            ]
        if self._random.random() < 0.5:
            lines += ["if data['v'] in (None, True):", "    raise RuntimeError('cannot take ' + key)"]
        lines.append(
            f"await context.state.set('event{number}', key, {{'v': data['v'], 'topic': context.trace_id != ''}})"
        )
        for stream in self._streams:
            if self._random.random() < 0.5:
                lines.append(
                    f"await context.streams.{stream}.set('events{number}', key, {{'id': key, 'v': data['v']}})"
                )
        for topic in emits:
            way = f"data['t'] + '>' + {topic!r}"  # by which two messages of one request are told apart
            data = f"{{**data, 'id': data['id'] + '>{number}', 't': {way}, 'hops': data['hops'] + 1}}"
            lines.append(_emit(topic, data))
        self._step(f"event{number}", config, "data", lines)
        self._looks.append(Request("GET", f"/report/event{number}"))

    def _echo(self) -> None:
        """A step that tells what it was sent, and answers with a text."""
        config: dict[str, Any] = {
            "name": "Echo",
            "type": "api",
            "path": "/echo",
            "method": "POST",
            "emits": [],
            "flows": ["same"],
        }
        lines = [
            "told = json.dumps([req['body'], req['queryParams']], sort_keys=True, ensure_ascii=False)",
            "return {'status': 200, 'body': told, 'headers': {'content-type': 'text/plain; charset=utf-8'}}",
        ]
        self._step("echo", config, "req", lines)
        for _ in range(self._random.randint(1, 3)):
            self._requests.append(
                Request("POST", self._random.choice(("/echo", "/echo?q=%C3%B6&empty=")), self._value())
            )

    def _report(self) -> None:
        config: dict[str, Any] = {
            "name": "Report",
            "type": "api",
            "path": "/report/:group",
            "method": "GET",
            "emits": [],
            "flows": ["same"],
        }
        lines = [
            "rows = await context.state.get_group(req['pathParams']['group'])",
            "texts = sorted(json.dumps(row, sort_keys=True) for row in rows)",
            "return {'status': 200, 'body': {'rows': texts}}",
        ]
        self._step("report", config, "req", lines)
        self._looks.append(Request("GET", "/report/api0"))
        self._looks.append(Request("GET", "/report/none"))

    def _step(self, name: str, config: Mapping[str, Any], argument: str, lines: list[str]) -> None:
        literal = json.dumps(config).replace("true", "True").replace("false", "False").replace("null", "None")
        body = "".join(f"    {line}\n" for line in lines)
        text = f"import json\n\nconfig = {literal}\n\n\nasync def handler({argument}, context):\n{body}"
        self._files[f"steps/{name}_step.py"] = text


def _emit(topic: str, data: str) -> str:
    """The line of a handler that emits; `data` is source code."""
    return f"await context.emit({{'topic': {topic!r}, 'data': {data}}})"
