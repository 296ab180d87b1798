"""An App -> a Python module of its types: requests, messages, what each step may emit, the items of streams."""

from __future__ import annotations

import json
import keyword

from treadle_infra.app.model import App, HttpTrigger, Json, Step, TopicTrigger
from treadle_infra.app.paths import path_template
from treadle_infra.interface.prelude import PRELUDE, PRELUDE_NAMES
from treadle_infra.interface.python_types import ANY, TypeWriter, class_name


def types_module(app: App) -> str:
    """The text of the module: the same for the same project."""
    return _Module(app).text()


class _Module:
    def __init__(self, app: App) -> None:
        self._app = app
        self._types = TypeWriter(PRELUDE_NAMES)
        self._events: dict[str, str] = {}
        self._topics = _topic_schemas(app)

    def text(self) -> str:
        streams = self._streams()
        for step in self._app.steps:
            self._step(step)
        return "\n\n\n".join([PRELUDE.rstrip(), *self._types.definitions, streams]) + "\n"

    def _streams(self) -> str:
        attributes: list[str] = []
        others: list[tuple[str, str]] = []
        for stream in self._app.streams:
            name = class_name(stream.name)
            data = self._types.type_of(stream.schema, name)
            type_ = f"Stream[{data}, {self._item(name, data)}]"
            if stream.name.isidentifier() and not keyword.iskeyword(stream.name):
                attributes.append(f"    {stream.name}: {type_}")
            others.append((stream.name, type_))
        lines = ["class Streams:", *attributes]
        for name, type_ in others:
            if len(others) > 1:
                lines.append("    @overload")
            lines.append(f"    def __getitem__(self, name: Literal[{json.dumps(name)}]) -> {type_}: ...")
        if len(others) > 1:
            lines += ["    def __getitem__(self, name: str) -> Any: ..."]
        elif others:
            lines[-1] = lines[-1].removesuffix(" ...") + "\n        raise NotImplementedError"
        return "\n".join(lines if len(lines) > 1 else [*lines, "    pass"])

    def _item(self, name: str, data: str) -> str:
        """The type of an item as it is read, which has its id too."""
        fields = self._types.typed_dicts.get(data)
        if fields is None:
            return "dict[str, Any]"
        if "id" in fields:
            return data
        item = self._types.name(f"{name}Item")
        self._types.definitions.append(f"class {item}({data}):\n    id: str")
        return item

    def _step(self, step: Step) -> None:
        base = class_name(step.name)
        routes = [trigger for trigger in step.triggers if isinstance(trigger, HttpTrigger)]
        if routes and step.application is None:
            self._request(base, routes)
        for number, trigger in enumerate(one for one in step.triggers if isinstance(one, TopicTrigger)):
            if number == 0 or trigger.input_schema is not None:
                self._types.alias(f"{base}Input", self._types.type_of(trigger.input_schema, f"{base}Input"))
        context = "FlowContext" if step.is_flow else "Context"
        emitted = " | ".join(self._event(topic) for topic in _topics_of(step)) if _topics_of(step) else "Never"
        if step.emits is None and step.usage.emits_computed_topic is not None:
            emitted = "AnyEvent"
        name = self._types.name(f"{base}Context")
        self._types.definitions.append(f"class {name}({context}[{json.dumps(emitted)}]):\n    pass")

    def _request(self, base: str, routes: list[HttpTrigger]) -> None:
        templates = [path_template(route.path).parameters for route in routes]
        names = dict.fromkeys(name for template in templates for name in template)
        optional = frozenset(name for name in names if not all(name in template for template in templates))
        path = "dict[str, str]"
        if names:
            path = self._types.typed_dict(f"{base}PathParams", dict.fromkeys(names, "str"), optional)
        bodies = [route.body_schema for route in routes if route.body_schema is not None]
        body = self._types.type_of(bodies[0], f"{base}Body") if bodies else ANY
        fields = {
            "body": body,
            "headers": "dict[str, str]",
            "pathParams": path,
            "queryParams": "dict[str, Any]",
            "rawBody": "str | bytes",
            "files": "dict[str, Any]",
        }
        self._types.typed_dict(f"{base}Request", fields, frozenset({"files"}))
        answers = [
            self._response(base, status, schema)
            for status, schema in routes[0].response_schemas.items()
            if status.isdecimal()
        ]
        self._types.alias(f"{base}Response", " | ".join(answers) or "Response")

    def _response(self, base: str, status: str, schema: Json) -> str:
        fields = {
            "status": f"Literal[{int(status)}]",
            "body": self._types.type_of(schema, f"{base}Body{status}"),
            "headers": "dict[str, Any]",
        }
        return self._types.typed_dict(f"{base}Response{status}", fields, frozenset({"headers"}) | _bodiless(schema))

    def _event(self, topic: str) -> str:
        """The type of what is given to `emit` for this topic."""
        if topic not in self._events:
            name = class_name(topic)
            fields = {
                "topic": f"Literal[{json.dumps(topic)}]",
                "data": self._types.type_of(self._topics.get(topic), f"{name}Data"),
                "messageGroupId": "str | int",
            }
            self._events[topic] = self._types.typed_dict(f"{name}Event", fields, frozenset({"messageGroupId"}))
        return self._events[topic]


def _topics_of(step: Step) -> list[str]:
    """What the step may emit: what it declares, else what its code names."""
    return sorted(step.usage.topics if step.emits is None else {emit.topic for emit in step.emits})


def _topic_schemas(app: App) -> dict[str, Json]:
    """What a topic's messages look like: as the first step says that takes them and says anything."""
    schemas: dict[str, Json] = {}
    for step in app.steps:
        for trigger in step.triggers:
            if isinstance(trigger, TopicTrigger) and trigger.input_schema is not None:
                schemas.setdefault(trigger.topic, trigger.input_schema)
    return schemas


def _bodiless(schema: Json) -> frozenset[str]:
    return frozenset({"body"}) if schema is None else frozenset[str]()
