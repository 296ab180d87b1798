"""A topology becomes a CloudFormation template that holds together, says where it came from, and passes cfn-lint."""

from __future__ import annotations

import filecmp
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import Phase, given, settings

from support.sample_apps import apps, http_step, messaging_app, operations, stage_names, topic_step
from treadle.names import BROADCAST, WEBSOCKET
from treadle_infra.app.findings import SourceLocation
from treadle_infra.app.model import (
    App,
    CronTrigger,
    Emit,
    HttpTrigger,
    Permission,
    QueueSettings,
    Step,
    Stream,
    TopicTrigger,
    Usage,
)
from treadle_infra.artifacts.bundle import BundleOptions
from treadle_infra.artifacts.model import Artifact
from treadle_infra.compile import Compilation, CompileOptions, compile_project
from treadle_infra.discovery.discover import DiscoverOptions
from treadle_infra.synth.assembly import Assembly, synthesize, write_assembly
from treadle_infra.synth.intrinsics import logical_id_of
from treadle_infra.synth.template import template_text
from treadle_infra.topology.build import build_topology
from treadle_infra.topology.placement import fresh_placement
from treadle_infra.topology.references import RouteRef

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE_SNAPSHOTS = "TREADLE_UPDATE_SNAPSHOTS"


def assembly_of(app: App, stage: str = "dev", zips: Path = Path("zips")) -> Assembly:
    names = [step.name for step in app.steps] + ([WEBSOCKET, BROADCAST] if app.streams else [])
    artifacts = {name: Artifact(f"{number:064x}", zips / f"{number}.zip") for number, name in enumerate(names)}
    return synthesize(build_topology(app, fresh_placement(app.name, stage)), artifacts)


def template_of(app: App, stage: str = "dev") -> dict[str, Any]:
    template: dict[str, Any] = json.loads(template_text(assembly_of(app, stage).template))
    return template


def steps_of(assembly: Assembly) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], assembly.manifest["steps"])


def resources_of(app: App, kind: str, stage: str = "dev") -> list[dict[str, Any]]:
    return [entry for entry in template_of(app, stage)["Resources"].values() if entry["Type"] == kind]


def referenced(value: object) -> Iterator[str]:
    """Every logical id, parameter or pseudo parameter that a template's value points at."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), str()]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text))
        case dict():
            for part in cast(dict[str, object], value).values():
                yield from referenced(part)
        case list():
            for part in cast(list[object], value):
                yield from referenced(part)
        case _:
            pass


def lint(template: dict[str, Any]) -> list[str]:
    """What cfn-lint says; imported late, since it takes a second."""
    from cfnlint.api import lint as cfn_lint  # type: ignore[import-untyped]

    return [f"{match.rule.id} line {match.linenumber}: {match.message}" for match in cfn_lint(template_text(template))]


# Snapshots


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_messaging_apps_template_is_the_one_in_the_snapshot(stage: str) -> None:
    """`TREADLE_UPDATE_SNAPSHOTS=1 pytest tests/test_synth.py` writes the snapshots anew; read the diff."""
    snapshot = SNAPSHOTS / f"messaging.{stage}.template.json"
    text = template_text(assembly_of(messaging_app(), stage).template)
    if os.environ.get(UPDATE_SNAPSHOTS):
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(text)
    assert text == snapshot.read_text()


def test_the_messaging_apps_manifest_is_the_one_in_the_snapshot() -> None:
    snapshot = SNAPSHOTS / "messaging.dev.manifest.json"
    text = json.dumps(assembly_of(messaging_app()).manifest, indent=1) + "\n"
    if os.environ.get(UPDATE_SNAPSHOTS):
        snapshot.write_text(text)
    assert text == snapshot.read_text()


# Every template


@given(app=apps(), stage=stage_names)
def test_every_reference_resolves_and_no_physical_name_is_there_twice(app: App, stage: str) -> None:
    template = template_of(app, stage)
    resources = template["Resources"]
    known = {*resources, *template.get("Parameters", {})}
    for name in referenced(template):
        assert name in known or name.startswith("AWS::")
    for entry in resources.values():
        assert set(entry.get("DependsOn", [])) <= set(resources)
    named = [
        (entry["Type"], entry["Properties"][key])
        for entry in resources.values()
        for key in ("Name", "FunctionName", "RoleName", "QueueName", "TopicName", "TableName", "LogGroupName")
        if isinstance(entry["Properties"].get(key), str) and entry["Type"] != "AWS::Lambda::Alias"
    ]
    assert len(set(named)) == len(named)
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,255}", name) for name in [*resources, *template.get("Outputs", {})])
    assert len(template.get("Outputs", {})) <= 200


@given(app=apps(), stage=stage_names)
def test_equal_apps_become_equal_bytes(app: App, stage: str) -> None:
    one, other = assembly_of(app, stage), assembly_of(app, stage)
    assert template_text(one.template) == template_text(other.template)
    assert json.dumps(one.manifest) == json.dumps(other.manifest)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_cfn_lint_has_nothing_to_say(stage: str) -> None:
    every_trigger = Step(
        "Every kind of trigger, größe!",
        SourceLocation("steps/all_step.py"),
        (
            HttpTrigger("GET", "/"),
            HttpTrigger("DELETE", "/orders/:id"),
            HttpTrigger("POST", "/files/*"),
            TopicTrigger("a", queue=QueueSettings(concurrency=5, delay_seconds=3)),
            TopicTrigger("message.sent", queue=QueueSettings(concurrency=5, delay_seconds=3)),
            CronTrigger("*/5 * * * *"),
            CronTrigger("0 9 1 * MON", "America/New_York"),
        ),
        usage=Usage(any_stream=operations("get", "clear"), emits_computed_topic=SourceLocation("steps/all_step.py", 3)),
        permissions=(Permission(("s3:GetObject", "ses:SendEmail"), ("*", "arn:aws:s3:::pictures/*")),),
    )
    messaging = messaging_app()
    app = App(
        "a" * 28,
        (
            *messaging.steps,
            every_trigger,
            Step("NoTrigger", SourceLocation("steps/none_step.py"), ()),
            http_step("State", path="/s", usage=Usage(state=operations("get", "set", "delete", "get_group", "clear"))),
            topic_step("x" * 128, "y" * 256, timeout_seconds=900),
        ),
        (*messaging.streams, Stream("z" * 128)),
    )
    assert lint(template_of(app, stage)) == []


@pytest.mark.parametrize(
    "app",
    [
        App("only-streams", (), (Stream("messages"),)),
        App("only-emits", (http_step("Get", emits=(Emit("nobody.listens"),)),)),
    ],
    ids=lambda app: app.name,
)
def test_cfn_lint_has_nothing_to_say_about_a_small_app_either(app: App) -> None:
    assert lint(template_of(app)) == []


@settings(max_examples=3, phases=[Phase.generate])
@given(app=apps(), stage=stage_names)
def test_cfn_lint_has_nothing_to_say_about_any_app(app: App, stage: str) -> None:
    template = template_of(app, stage)
    assert not template["Resources"] or lint(template) == []


# What matters in it


def test_a_failed_resource_tells_its_step_and_line() -> None:
    route = template_of(messaging_app())["Resources"][logical_id_of(RouteRef("POST", "/messages"))]
    assert route["Metadata"]["Treadle"] == {"Step": "SendMessage", "Source": "steps/api_step.py:4"}


def test_everything_taggable_is_tagged() -> None:
    taggable = {
        "AWS::Lambda::Function",
        "AWS::Lambda::EventSourceMapping",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SNS::Topic",
        "AWS::DynamoDB::Table",
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
    }
    for entry in template_of(messaging_app())["Resources"].values():
        tags = entry["Properties"].get("Tags")
        assert (tags is not None) == (entry["Type"] in taggable)
        if tags is not None:
            as_map: dict[str, str] = (
                cast(dict[str, str], tags) if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
            )
            assert as_map["treadle:app"] == "my-app"
            assert as_map["treadle:stage"] == "dev"
            assert as_map.get("treadle:step") == entry.get("Metadata", {}).get("Treadle", {}).get("Step")


def test_only_the_deployer_moves_the_alias_and_every_trigger_points_at_it() -> None:
    template = template_of(messaging_app())
    aliases = {name for name, entry in template["Resources"].items() if entry["Type"] == "AWS::Lambda::Alias"}
    for name in aliases:
        assert template["Resources"][name]["Properties"]["FunctionVersion"] == "$LATEST"
    triggered = {
        next(name for name in referenced(entry["Properties"][key]) if not name.startswith("AWS::"))
        for kind, key in (
            ("AWS::ApiGatewayV2::Integration", "IntegrationUri"),
            ("AWS::Lambda::EventSourceMapping", "FunctionName"),
            ("AWS::Events::Rule", "Targets"),
        )
        for entry in resources_of(messaging_app(), kind)
    }
    assert triggered == aliases


def test_a_subscription_waits_for_the_policies_of_both_queues() -> None:
    template = template_of(messaging_app())
    (subscription,) = resources_of(messaging_app(), "AWS::SNS::Subscription")
    behind = [template["Resources"][name]["Properties"]["Queues"][0]["Ref"] for name in subscription["DependsOn"]]
    assert behind == ["QueueProcessMessage", "DeadLetterQueueProcessMessage"]


def test_the_http_api_may_invoke_the_live_alias_of_this_apps_functions_only() -> None:
    gateway = template_of(messaging_app())["Resources"]["GatewayRole"]["Properties"]
    (statement,) = gateway["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["lambda:InvokeFunction"]
    assert [resource["Fn::Sub"].rpartition("${AWS::AccountId}:")[2] for resource in statement["Resource"]] == [
        "function:my-app--dev--*:live"
    ]


def test_maximum_concurrency_is_set_only_where_it_is_asked_for() -> None:
    limited = App("my-app", (topic_step("A", "t", queue=QueueSettings(concurrency=3)), topic_step("B", "t")))
    one, other = resources_of(limited, "AWS::Lambda::EventSourceMapping")
    assert one["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 3}
    assert "ScalingConfig" not in other["Properties"]


@pytest.mark.parametrize(
    ("stage", "deletion", "replacement"), [("dev", "Delete", "Delete"), ("prod", "Retain", "Retain")]
)
def test_tables_outlive_their_stack_on_every_stage_but_dev(stage: str, deletion: str, replacement: str) -> None:
    for table in resources_of(messaging_app(), "AWS::DynamoDB::Table", stage):
        if table["Properties"]["TableName"].endswith("--connections"):
            assert table["DeletionPolicy"] == "Delete", "connections end with their API"
            continue
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == (deletion, replacement)
        assert ("PointInTimeRecoverySpecification" in table["Properties"]) == (stage != "dev")


def test_with_more_names_than_a_stack_may_output_only_the_api_is_an_output() -> None:
    crowded = App("my-app", (http_step("A", emits=tuple(Emit(f"topic{number}") for number in range(200))),))
    assert list(template_of(crowded)["Outputs"]) == ["HttpApiUrl", "HttpApiId"]


# The folder


def _zips(tmp_path: Path, count: int) -> Path:
    folder = tmp_path / "zips"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.zip").write_bytes(b"zip %d" % number)
    return folder


def test_an_assembly_is_the_same_folder_wherever_it_is_written(tmp_path: Path) -> None:
    assembly = assembly_of(messaging_app(), zips=_zips(tmp_path, 5))
    one, other = tmp_path / "one", tmp_path / "with space" / "other"
    write_assembly(assembly, one)
    write_assembly(assembly, other)
    names = sorted(path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file())
    zips = [f"artifacts/{number:064x}.zip" for number in range(5)]
    assert names == [*zips, "manifest.json", "template.json"]
    assert filecmp.cmpfiles(one, other, names, shallow=False) == (names, [], [])
    assert names == sorted(path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file())


def test_writing_again_removes_what_is_no_longer_part_of_it_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_assembly(assembly_of(messaging_app(), zips=_zips(tmp_path, 5)), target)
    (target / "package.json").write_text("{}")
    before = (target / "artifacts" / f"{0:064x}.zip").stat().st_mtime_ns
    smaller = App("my-app", messaging_app().steps[:1])
    write_assembly(assembly_of(smaller, zips=tmp_path / "zips"), target)
    names = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert names == [f"artifacts/{0:064x}.zip", "manifest.json", "package.json", "template.json"]
    assert (target / "artifacts" / f"{0:064x}.zip").stat().st_mtime_ns == before


def test_the_manifest_names_every_file_of_the_folder(tmp_path: Path) -> None:
    write_assembly(assembly_of(messaging_app(), zips=_zips(tmp_path, 5)), tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    named = {*manifest["templates"], *(artifact["file"] for artifact in manifest["artifacts"])}
    present = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert present == {*named, "manifest.json"}


# From a project's folder


def _project(folder: Path) -> Path:
    (folder / "steps").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.treadle]\nname = "my-app"\n')
    (folder / "steps" / "send_step.py").write_text(
        'config = {"name": "Send", "type": "api", "path": "/messages/:id", "method": "POST", "emits": ["sent"]}\n\n\n'
        "async def handler(req, context):\n"
        '    await context.state.set("messages", "1", {})\n'
        '    await context.emit({"topic": "sent", "data": {}})\n'
        '    return {"status": 201}\n'
    )
    (folder / "steps" / "work_step.py").write_text(
        'config = {"name": "Work", "type": "event", "subscribes": ["sent"], "emits": []}\n\n\n'
        "async def handler(data, context):\n"
        '    context.logger.info("done")\n'
    )
    return folder


def _compiled(project: Path, cache: Path, stage: str = "prod") -> Compilation:
    return compile_project(project, stage, CompileOptions(DiscoverOptions(), BundleOptions(cache)))


def test_two_copies_of_a_project_compile_to_the_same_folder_byte_for_byte(tmp_path: Path) -> None:
    first = _compiled(_project(tmp_path / "one"), tmp_path / "cache-one")
    second = _compiled(_project(tmp_path / "with space" / "two"), tmp_path / "cache-two")
    assert first.assembly is not None
    assert second.assembly is not None
    write_assembly(first.assembly, tmp_path / "out-one")
    write_assembly(second.assembly, tmp_path / "out-two")
    names = sorted(path.relative_to(tmp_path / "out-one").as_posix() for path in (tmp_path / "out-one").rglob("*.*"))
    assert filecmp.cmpfiles(tmp_path / "out-one", tmp_path / "out-two", names, shallow=False) == (names, [], [])
    assert not first.failed
    assert lint(json.loads((tmp_path / "out-one" / "template.json").read_text())) == []


def test_a_compilation_says_how_long_each_phase_took(tmp_path: Path) -> None:
    compilation = _compiled(_project(tmp_path / "one"), tmp_path / "cache")
    assert list(compilation.phase_seconds) == [
        "install",
        "discover",
        "layers",
        "bundle",
        "build_topology",
        "check",
        "synthesize",
    ]


def test_a_step_with_an_error_is_left_out_and_the_rest_is_compiled(tmp_path: Path) -> None:
    project = _project(tmp_path / "one")
    (project / "steps" / "broken_step.py").write_text("config = {\n")
    compilation = _compiled(project, tmp_path / "cache")
    assert compilation.failed
    assert [step.name for step in compilation.app.steps] == ["Send", "Work"]
    assert compilation.assembly is not None
    assert [entry["step"] for entry in steps_of(compilation.assembly)] == ["Send", "Work"]


def test_nothing_to_compile_is_no_assembly(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    compilation = _compiled(tmp_path / "empty", tmp_path / "cache")
    assert compilation.assembly is None
    assert compilation.findings


def test_the_project_files_settings_reach_the_template(tmp_path: Path) -> None:
    folder = _project(tmp_path / "my-app")
    (folder / "pyproject.toml").unlink()
    (folder / "treadle.toml").write_text(
        """
        memory_mb = 512
        tags = {team = "shop"}
        [stages.prod]
        log_level = "warn"
        log_retention_days = 365
        [stages.prod.cors]
        origins = ["https://a.example"]
        """
    )

    compilation = _compiled(folder, tmp_path / "cache")

    assert compilation.assembly is not None
    (stack,) = compilation.assembly.stacks
    template: Any = stack.template
    by_type: dict[str, list[Any]] = {}
    for resource in template["Resources"].values():
        by_type.setdefault(resource["Type"], []).append(resource["Properties"])
    assert {step["MemorySize"] for step in by_type["AWS::Lambda::Function"]} == {512}
    assert {one["Environment"]["Variables"]["LOG_LEVEL"] for one in by_type["AWS::Lambda::Function"]} == {"warn"}
    assert {one["RetentionInDays"] for one in by_type["AWS::Logs::LogGroup"]} == {365}
    assert by_type["AWS::ApiGatewayV2::Api"][0]["CorsConfiguration"]["AllowOrigins"] == ["https://a.example"]
    tagged = [one["Tags"] for entries in by_type.values() for one in entries if "Tags" in one]
    assert all(
        {"Key": "team", "Value": "shop"} in tags if isinstance(tags, list) else tags["team"] == "shop"
        for tags in tagged
    )
    assert len(tagged) > 10


@pytest.mark.parametrize(("stage", "refused"), [("prod", False), ("Prod", True), ("a-stage-too-long", True)])
def test_a_stage_that_cannot_stand_in_a_name_is_refused(tmp_path: Path, stage: str, refused: bool) -> None:
    compilation = _compiled(_project(tmp_path / "one"), tmp_path / "cache", stage)
    assert ("stage-name-not-allowed" in [finding.code for finding in compilation.findings]) == refused
