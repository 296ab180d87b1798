"""What a step's source shows that it does with its context."""

from __future__ import annotations

import textwrap

import pytest

from support.discovered import Find, api, codes, event, one, only, step_of
from treadle_infra.app.model import Stream

EVERYTHING = {"get", "set", "update", "delete", "get_group", "list_groups", "clear"}

# usage


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("await context.state.get('a', 'b')", {"get"}),
        ("context.state.getGroup('a'); await context.state.clear('a')", {"get_group", "clear"}),
        ("state = context.state\nawait state.delete('a', 'b')", {"delete"}),
        ("await context.state.get_with_version('a', 'b')", {"get"}),
        ("await context.state.update('a', 'b', [])", {"update"}),
        ("await context.state.list_groups()", {"list_groups"}),
        ("await context.state.set('a', 'b', 1, ttl_seconds=5, expected_version=0)", {"set"}),
        ("s, n = context.state, 1\nawait s.set('a', 'b', n)", {"set"}),
        ("ctx = context\nawait ctx.state.get_group('a')", {"get_group"}),
        ("get = context.state.get\nawait get('a', 'b')", {"get"}),
        ("await getattr(context, 'state').set('a', 'b', 1)", {"set"}),
        ("await getattr(context.state, 'get')('a', 'b')", {"get"}),
        ("await getattr(context.state, req['op'])('a')", EVERYTHING),
        ("await save(context.state)", EVERYTHING),
        ("return context.state", EVERYTHING),
        ("def inner():\n    return state.get('a', 'b')\nstate = context.state\nreturn inner()", {"get"}),
        ("if context.state is None: pass", set[str]()),
        ("order = req['order']\nif order.state == 'open': print(order.state)", set[str]()),
        (
            "class Saver:\n    def __init__(self, c): self.store = c.state\n    def go(self): self.store.set(1, 2)\n"
            "Saver(context).go()",
            {"set"},
        ),
        ("await helper(req, context)", {"delete"}),
        ("await Tools().keep(context)", {"clear"}),
    ],
)
def test_the_use_of_state_is_read_from_the_source(find: Find, body: str, state: set[str]) -> None:
    functions = {
        "save(": "async def save(s): pass",
        "helper(": "async def helper(r, c): await c.state.delete('a', 'b')",
        "Tools(": "class Tools:\n    async def keep(self, c):\n        s = c.state\n        await s.clear('a')",
    }
    called = "".join(f"{source}\n" for call, source in functions.items() if call in body)
    assert step_of(find(one(api(body=body) + called))).usage.state == state


@pytest.mark.parametrize(
    ("body", "streams", "any_stream"),
    [
        ("await context.streams.chat.set('a', {})", {"chat": {"set"}}, set[str]()),
        ("await context.streams['chat'].get('a')", {"chat": {"get"}}, set[str]()),
        ("streams = context.streams\nawait streams.chat.getGroup('a')", {"chat": {"get_group"}}, set[str]()),
        (
            "m = context.streams.chat\nawait m.send('a', {})\nawait m.delete('a')",
            {"chat": {"send", "delete"}},
            set[str](),
        ),
        (
            "m = context.streams.chat\nawait m.update('a', [])\nawait m.clear()\nawait m.list_groups()",
            {"chat": {"update", "clear", "list_groups"}},
            set[str](),
        ),
        (
            "m = context.streams.a if req else context.streams.b\nawait m.get('x')",
            {"a": {"get"}, "b": {"get"}},
            set[str](),
        ),
        ("await context.streams[NAME].get('a')", {"chat": {"get"}}, set[str]()),
        ("await context.streams[req['s']].get('a')", {}, {"get"}),
        ("await getattr(context.streams, req['s']).get('a')", {}, {"get"}),
        ("print(context.streams.chat)", {"chat": EVERYTHING | {"send"}}, set[str]()),
        ("print(context.streams)", {}, EVERYTHING | {"send"}),
    ],
)
def test_the_use_of_streams_is_read_from_the_source(
    find: Find, body: str, streams: dict[str, set[str]], any_stream: set[str]
) -> None:
    usage = step_of(find(one(f"NAME = 'chat'\n{api(body=body)}"))).usage
    assert usage.streams == streams
    assert usage.any_stream == any_stream


@pytest.mark.parametrize(
    ("body", "topics", "computed"),
    [
        ("await context.emit({'topic': 'a', 'data': 1})", {"a"}, False),
        ("await context.emit(dict(topic='a', data=1))", {"a"}, False),
        ("await context.emit(event={'topic': 'a'})", {"a"}, False),
        ("message = {'topic': 'a', 'data': 1}\nawait context.emit(message)", {"a"}, False),
        ("emit = context.emit\nawait emit({'topic': 'a'})", {"a"}, False),
        ("await context.emit({'topic': TOPIC})", {"from.here"}, False),
        ("await context.emit({'topic': Topics.SENT})", {"from.class"}, False),
        ("from topics import CREATED\nawait context.emit({'topic': CREATED})", {"order.created"}, False),
        ("import topics\nawait context.emit({'topic': topics.CREATED})", {"order.created"}, False),
        ("await context.emit({'topic': 'a' if req else 'b'})", {"a", "b"}, False),
        ("for topic in ('a', 'b'):\n    await context.emit({'topic': topic})", {"a", "b"}, False),
        ("await context.emit({'topic': PREFIX + 'sent'})", {"orders.sent"}, False),
        ("await context.emit({'topic': f'{PREFIX}sent'})", {"orders.sent"}, False),
        ("await context.emit({**req, 'topic': 'a'})", {"a"}, False),
        ("await context.emit({'topic': 'a', **req})", set[str](), True),
        ("await context.emit({'topic': req['t']})", set[str](), True),
        ("await context.emit(req)", set[str](), True),
        ("await publish(context.emit)", set[str](), True),
        ("topic = 'a'\ntopic = req['t']\nawait context.emit({'topic': topic})", set[str](), True),
        ("message = {'topic': 'a'}\nmessage['topic'] = req['t']\nawait context.emit(message)", set[str](), True),
        ("await wrap(context, 'a')", set[str](), True),
        ("req['socket'].emit('message', 1)", set[str](), False),
        ("await req['ctx2'].emit({'topic': 'a'})", {"a"}, False),
    ],
)
def test_emitted_topics_are_read_from_the_source(find: Find, body: str, topics: set[str], computed: bool) -> None:
    head = "TOPIC = 'from.here'\nPREFIX = 'orders.'\nclass Topics:\n    SENT = 'from.class'\n"
    tail = "async def publish(emit): pass\nasync def wrap(c, topic):\n    await c.emit({'topic': topic})\n"
    tail = tail if "wrap(" in body else ""
    files = {"steps/a_step.py": head + api(body=body) + tail, "topics.py": "CREATED = 'order.created'"}
    usage = step_of(find(files)).usage
    assert usage.topics == topics
    assert (usage.emits_computed_topic is not None) is computed


def test_usage_is_followed_into_what_a_step_imports_and_only_there(find: Find) -> None:
    discovery = find(
        {
            "steps/a_step.py": f"from helpers import keep\n{api(body='await keep(req, context)')}",
            "steps/b_step.py": event(),
            "helpers/__init__.py": "from .store import keep",
            "helpers/store.py": """
                async def keep(data, c):
                    await c.state.set('a', 'b', data)
                    await c.emit({'topic': 'asked'})
                """,
        }
    )
    first, second = discovery.app.steps
    assert first.usage.state == {"set"}
    assert first.usage.topics == {"asked"}
    assert first.files == ("helpers/__init__.py", "helpers/store.py", "steps/a_step.py")
    assert second.usage.state == frozenset()
    assert discovery.findings == ()


def test_a_shared_helpers_emit_is_not_held_against_steps_that_do_not_declare_it(find: Find) -> None:
    steps = [
        api('"emits": ["asked"]'),
        event('"emits": ["asked"]'),
        api('"name": "C", "path": "/c", "emits": ["other"]'),
    ]
    files = {f"steps/{number}_step.py": f"import helper\n{step}" for number, step in enumerate(steps)}
    files["helper.py"] = "async def tell(context): await context.emit({'topic': 'asked'})"
    assert codes(find(files)) == ["topic-without-subscriber"]


def test_the_handlers_context_is_known_by_its_place(find: Find) -> None:
    source = """
        config = {"name": "A", "type": "api", "method": "GET", "path": "/a"}
        async def work(request, second):
            await keep(second.state)
        async def keep(state): pass
        handler = work
        """
    assert "set" in step_of(find(one(source))).usage.state


def test_inferred_streams_are_made_and_told_once_with_a_file_to_copy(find: Find) -> None:
    body = "await context.streams.chat.set('a', {})"
    discovery = find({"steps/a_step.py": api(body=body), "steps/b_step.py": event(body=body)})
    assert discovery.app.streams == (Stream("chat"),)
    found = only(discovery, "stream-inferred")
    assert str(found.where) == "steps/a_step.py:11"
    hint = found.hint or ""
    definition = textwrap.dedent(hint.partition("\n")[2])
    again = find(
        {"steps/a_step.py": api(body=body), "steps/b_step.py": event(body=body), "steps/chat_stream.py": definition}
    )
    assert "stream-inferred" not in codes(again)
