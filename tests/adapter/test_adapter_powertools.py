"""`context.metrics` and `context.tracer`: Powertools, loaded when they are asked for and never before."""

from __future__ import annotations

import importlib.util
import io
import json
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.aws import unique
from support.dev import Dev, wait_until
from support.lambda_account import Account, invoke, make_role

from .step_folder import EVENT, Run, StepFolder, batch, message, request

PLACED = 'context.metrics.add_metric(name="Placed", unit="Count", value=req["body"]["value"])'


def embedded(run: Run) -> list[dict[str, Any]]:
    """The lines in CloudWatch's embedded metric format."""
    return [line for line in run.log if "_aws" in line]


def step(folder: StepFolder, *lines: str) -> StepFolder:
    body = "".join(f"    {line}\n" for line in lines)
    return folder.step(f"async def handler(req, context):\n{body}    return {{'body': {{}}}}\n")


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has no packages."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


def test_metrics_are_written_when_the_handler_ends_with_app_step_and_stage(folder: StepFolder) -> None:
    run = step(folder, PLACED, "context.metrics.add_dimension('kind', 'first')").run(
        request('{"value": 3}'), request('{"value": 4}')
    )
    first, second = embedded(run)
    told = {"service": "Step", "stage": "dev", "kind": "first", "Placed": [3.0]}
    assert {key: first[key] for key in told} == told
    (directive,) = first["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "shop"
    assert [sorted(names) for names in directive["Dimensions"]] == [["kind", "service", "stage"]]
    assert directive["Metrics"] == [{"Name": "Placed", "Unit": "Count"}]
    assert second["Placed"] == [4.0]
    order = [next(key for key in ("_aws", "treadle") if key in line) for line in run.log]
    assert order == ["_aws", "treadle", "_aws", "treadle"]


def test_metrics_are_written_when_the_handler_raises(folder: StepFolder) -> None:
    run = step(folder, PLACED, "raise ValueError('no luck')").run(request('{"value": 1}'))
    assert [line["Placed"] for line in embedded(run)] == [[1.0]]
    assert run.records[0]["error"]["type"] == "ValueError"


def test_each_message_of_a_batch_has_metrics_of_its_own(folder: StepFolder) -> None:
    folder.manifest(triggers=[EVENT]).step(
        """
        async def handler(order, context):
            if order["odd"]:
                context.metrics.add_dimension("odd", "yes")
            else:
                context.metrics.add_metric(name="Even", unit="Count", value=1)
        """
    )
    sent = [message(json.dumps({"odd": odd}), message_id=f"m{number}") for number, odd in enumerate([True, False])]
    run = folder.run(batch(*sent), entry="event")
    (line,) = embedded(run)
    assert line["Even"] == [1.0]
    assert "odd" not in line


def test_powertools_own_variables_come_first(folder: StepFolder) -> None:
    environment = {"POWERTOOLS_METRICS_NAMESPACE": "ours", "POWERTOOLS_SERVICE_NAME": "orders"}
    run = step(folder, PLACED).run(request('{"value": 1}'), environment=environment)
    (line,) = embedded(run)
    assert (line["_aws"]["CloudWatchMetrics"][0]["Namespace"], line["service"]) == ("ours", "orders")


def test_metrics_that_cannot_be_written_end_no_run(folder: StepFolder) -> None:
    run = step(folder, PLACED, "context.metrics.provider.namespace = None").run(request('{"value": 1}'))
    assert run.answer.result["statusCode"] == 200
    assert embedded(run) == []
    assert "the metrics of this run cannot be written" in run.lines("error")[0]["msg"]


def test_a_step_that_asks_for_neither_loads_nothing_of_them(folder: StepFolder) -> None:
    run = folder.run(request("{}"))
    assert not {"treadle.metrics", "treadle.tracer"} & run.modules
    assert not [module for module in run.modules if module.startswith(("aws_lambda_powertools", "aws_xray_sdk"))]


@pytest.mark.parametrize(
    ("expression", "package", "remedy"),
    [
        ("context.metrics", "aws_lambda_powertools", "`aws-lambda-powertools`"),
        ("context.tracer", "aws_xray_sdk", "`aws-lambda-powertools[tracer]`"),
    ],
)
def test_a_project_without_powertools_is_told_the_remedy(
    folder: StepFolder, bare_python: str, expression: str, package: str, remedy: str
) -> None:
    run = step(folder, expression).run(request("{}"), python=bare_python)
    words = f"{expression} needs {package}: add {remedy} to the project's dependencies"
    assert run.records[0]["error"] == {
        "type": "PowertoolsMissing",
        "message": words,
        "fingerprint": run.records[0]["error"]["fingerprint"],
    }


def test_the_tracer_is_powertools_own_with_the_step_as_service(folder: StepFolder) -> None:
    folder.step(
        """
        async def handler(req, context):
            tracer = context.tracer
            tracer.put_annotation("order", "o1")
            names = [tracer.service, type(tracer).__name__]
            return {"body": {"names": names, "same": tracer is context.tracer}}
        """
    )
    run = folder.run(request("{}"), environment={"POWERTOOLS_TRACE_DISABLED": "true"})
    assert json.loads(run.answer.result["body"]) == {"names": ["Step", "Tracer"], "same": True}


def zip_of(folders: dict[str, Path]) -> bytes:
    """A zip of these folders' modules and JSON files, each folder under its name; a file goes by its own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, folder in folders.items():
            for file in folder.rglob("*") if folder.is_dir() else [folder]:
                if file.suffix in (".py", ".json"):
                    archive.write(file, str(Path(name, file.relative_to(folder))))
    return buffer.getvalue()


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def test_metrics_of_a_step_are_in_cloudwatch_with_powertools_in_a_layer(emulator: Dev, folder: StepFolder) -> None:
    app, client = unique("app"), emulator.client("lambda")
    names = ("aws_lambda_powertools", "jmespath", "typing_extensions")
    sources = {name: package_folder(name) for name in names}
    packages = {f"python/{name}{'' if path.is_dir() else '.py'}": path for name, path in sources.items()}
    layer = client.publish_layer_version(LayerName=unique("powertools"), Content={"ZipFile": zip_of(packages)})
    step(folder, PLACED)
    account = Account(emulator, client, make_role(emulator, actions=("logs:*",)))
    name = account.make(
        Code={"ZipFile": zip_of({part: folder.path / part for part in ("app", "treadle")})},
        Handler="treadle.entry.api.handler",
        Layers=[layer["LayerVersionArn"]],
        Timeout=20,
        Environment={"Variables": {"TREADLE_APP": app, "TREADLE_STAGE": "dev"}},
    )
    emulator.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    assert invoke(client, name, request('{"value": 3}'))["statusCode"] == 200
    cloudwatch = emulator.client("cloudwatch")
    (metric,) = wait_until("the metric", lambda: cloudwatch.list_metrics(Namespace=app)["Metrics"])
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
    assert (metric["MetricName"], dimensions) == ("Placed", {"service": "Step", "stage": "dev"})
