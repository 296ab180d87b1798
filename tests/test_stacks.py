"""Large apps: several stacks that stand by themselves, where nothing ever moves from one into another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.sample_apps import cron_step, http_step, messaging_app, topic_step
from treadle.names import BROADCAST, WEBSOCKET
from treadle_infra.app.findings import TreadleError
from treadle_infra.app.model import App, Emit, HttpTrigger, Step
from treadle_infra.artifacts.model import Artifact
from treadle_infra.synth.assembly import Assembly, synthesize
from treadle_infra.synth.manifest import former_placement
from treadle_infra.synth.template import template_text
from treadle_infra.topology.build import build_topology
from treadle_infra.topology.check import check
from treadle_infra.topology.placement import FormerPlacement, placement

ALL_STEPS = tuple(
    step
    for number in range(100)
    for step in (
        http_step(f"Api{number}", path=f"/r{number}", method="POST", emits=(Emit(f"t{number}"),)),
        topic_step(f"Event{number}", f"t{number}", f"t{(number * 7) % 100}"),
        cron_step(f"Cron{number}"),
    )
)
_PSEUDO = re.compile(r"AWS::\w+")


def assembly_of(app: App, former: FormerPlacement | None = None) -> Assembly:
    topology = build_topology(app, placement(app.name, "dev", former or FormerPlacement()))
    assert check(topology) == []
    names = [step.name for step in app.steps] + ([WEBSOCKET, BROADCAST] if app.streams else [])
    artifacts = {name: Artifact(f"{number:064x}", Path(f"{number}.zip")) for number, name in enumerate(names)}
    return synthesize(topology, artifacts, None, (former or FormerPlacement()).stacks)


def large_app(steps: tuple[Step, ...] = ALL_STEPS) -> App:
    """The messaging app with its streams, and many steps besides."""
    small = messaging_app()
    return replace(small, steps=(*small.steps, *steps))


def resources_of(assembly: Assembly) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Each resource's stack and entry, by logical id."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for stack in assembly.stacks:
        resources: Any = stack.template["Resources"]
        for logical_id, entry in resources.items():
            assert logical_id not in found, "a resource is in one stack"
            found[logical_id] = stack.name, entry
    return found


def names_in(value: Any) -> Iterator[str]:
    """What a template's value refers to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), _]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (name.partition(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text))
        case _:
            for part in parts_of(value):
                yield from names_in(part)


def parts_of(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return [*cast("Sequence[Any]", value)] if isinstance(value, list) else []


def check_closed(assembly: Assembly) -> None:
    """Each stack refers to what is in it or handed to it, and is handed what stacks before it put out."""
    outputs: dict[str, Mapping[str, Any]] = {}
    for stack in assembly.stacks:
        template: Any = stack.template
        there = {*template["Resources"], *template.get("Parameters", {})}
        used = set(names_in(template["Resources"])) | set(names_in(template.get("Outputs", {})))
        assert {name for name in used if not _PSEUDO.fullmatch(name)} <= there
        for entry in template["Resources"].values():
            assert set(entry.get("DependsOn", ())) <= set(template["Resources"])
        assert set(template.get("Parameters", {})) - {"ArtifactBucket"} == set(stack.parameters)
        for other, output in stack.parameters.values():
            assert output in outputs[other], "it comes up before"
        outputs[stack.name] = template.get("Outputs", {})
        assert len(template["Resources"]) <= 450
        assert len(template_text(template)) <= 900_000
        assert "Export" not in template_text(template)


def test_a_small_app_has_one_stack() -> None:
    assembly = assembly_of(messaging_app())
    assert [stack.name for stack in assembly.stacks] == ["my-app--dev"]


def test_what_steps_share_comes_up_before_them_and_all_of_a_step_is_in_one_stack() -> None:
    assembly = assembly_of(large_app())
    names = [stack.name for stack in assembly.stacks]
    assert names[:2] == ["my-app--dev--foundation-1", "my-app--dev"]
    assert names[2:] == [f"my-app--dev--steps-{number}" for number in range(1, len(names) - 1)]
    assert len(names) > 5
    check_closed(assembly)
    homes: dict[str, set[str]] = {}
    for stack, entry in resources_of(assembly).values():
        if step := entry.get("Metadata", {}).get("Treadle", {}).get("Step"):
            homes.setdefault(step, set()).add(stack)
    assert all(len(home) == 1 for home in homes.values())
    assert len(homes) == 303


def test_several_stacks_hold_the_same_resources_as_one_would() -> None:
    topology = build_topology(large_app(), placement("my-app", "dev", FormerPlacement()))
    assert len(resources_of(assembly_of(large_app()))) == len(topology.resources)


@settings(max_examples=15)
@given(
    first=st.sets(st.integers(0, len(ALL_STEPS) - 1), max_size=120),
    second=st.sets(st.integers(0, len(ALL_STEPS) - 1), max_size=200),
)
def test_nothing_moves_when_steps_come_and_go(first: set[int], second: set[int]) -> None:
    before = assembly_of(large_app(tuple(ALL_STEPS[number] for number in sorted(first))))
    after = assembly_of(
        large_app(tuple(ALL_STEPS[number] for number in sorted(second))), former_placement(before.manifest)
    )
    check_closed(after)
    old, new = resources_of(before), resources_of(after)
    assert [name for name in old.keys() & new.keys() if old[name][0] != new[name][0]] == []


def test_an_http_api_is_filled_with_280_routes_and_a_step_stays_behind_its_api() -> None:
    steps = tuple(http_step(f"Step{number}", path=f"/{number}") for number in range(300))
    assembly = assembly_of(App("my-app", steps))
    behind = Counter(
        str(entry["Properties"]["ApiId"])
        for _, entry in resources_of(assembly).values()
        if entry["Type"] == "AWS::ApiGatewayV2::Integration"
    )
    assert sorted(behind.values()) == [20, 280]
    former = former_placement(assembly.manifest)
    assert former.apis["Step299"] == 2
    fewer = former_placement(assembly_of(App("my-app", steps[100:]), former).manifest)
    assert fewer.apis["Step299"] == 2


def test_a_step_that_fills_no_stack_is_refused_where_it_stands() -> None:
    routes = tuple(HttpTrigger("GET", f"/{number}/{'x' * 100}") for number in range(290))
    topics = tuple(f"topic{number}" for number in range(200))
    step = http_step("Everything")
    step = replace(step, triggers=(*routes, *topic_step("Everything", *topics).triggers))
    topology = build_topology(App("my-app", (step,)), placement("my-app", "dev", FormerPlacement()))
    with pytest.raises(TreadleError, match="belong into one stack") as refused:
        synthesize(topology, {"Everything": Artifact("0" * 64, Path("0.zip"))})
    assert refused.value.code == "stack-too-large"
    assert refused.value.finding.where == step.where
