"""The picture of a project: `treadle graph` in the form of Motia's Workbench, and its `motia-workbench.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.command import treadle
from support.projects import write

STEPS = {
    "steps/a_order_step.py": """\
config = {
    "name": "Order", "type": "api", "path": "/orders", "method": "POST", "flows": ["shop", "audit"],
    "description": "takes an order", "bodySchema": {"type": "object"},
    "emits": ["order.placed", {"topic": "order.refused", "label": "too dear", "conditional": True}],
    "virtualSubscribes": ["shop.opened"],
}


async def handler(req, context):
    return {"body": {}}
""",
    "steps/b_pay_step.py": """\
config = {
    "name": "Pay", "type": "event", "subscribes": ["order.placed", "order.refused"], "emits": ["order.paid"],
    "virtualEmits": ["mail.sent"], "flows": ["shop"],
}


async def handler(data, context):
    pass
""",
    "steps/c_sweep_step.py": """\
config = {"name": "Sweep", "type": "cron", "cron": "0 9 * * *", "emits": ["order.placed"], "flows": ["shop"]}


async def handler(context):
    pass
""",
    "steps/d_shop_step.py": """\
config = {
    "name": "Shop", "type": "noop", "virtualEmits": ["shop.opened"], "virtualSubscribes": ["mail.sent"],
    "flows": ["shop"],
}
""",
    "steps/e_report_step.py": """\
config = {"name": "Report", "type": "event", "subscribes": ["order.paid"], "emits": [], "flows": ["audit"]}


async def handler(data, context):
    pass
""",
}
LAYOUT = [
    {"id": "shop", "config": {"steps/a_order_step.py": {"x": -12.5, "y": 40, "sourceHandlePosition": "bottom"}}},
    {"id": "gone", "config": {"steps/gone_step.py": {"x": 1, "y": 2}}, "kept": True},
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in STEPS.items():
        write(tmp_path, path, text)
    return tmp_path


def graph(project: Path, *options: str) -> Any:
    done = treadle("graph", project, *options)
    assert done.code == 0, done.err
    return done.json()


@pytest.mark.motia("9", "the graph of each flow, with events, conditional and virtual edges, within the flow only")
def test_each_flow_is_a_graph(project: Path) -> None:
    audit, shop = graph(project)

    assert (shop["id"], shop["name"]) == ("shop", "shop")
    steps = {step["name"]: step for step in shop["steps"]}
    assert list(steps) == ["Order", "Pay", "Sweep", "Shop"]
    order = steps["Order"]
    assert (order["type"], order["action"], order["webhookUrl"]) == ("api", "webhook", "POST /orders")
    assert (order["description"], order["bodySchema"]) == ("takes an order", {"type": "object"})
    assert (order["filePath"], order["language"]) == ("steps/a_order_step.py", "python")
    assert order["emits"] == ["order.placed", {"topic": "order.refused", "label": "too dear", "conditional": True}]
    assert (steps["Pay"]["subscribes"], steps["Pay"]["virtualEmits"]) == (
        ["order.placed", "order.refused"],
        ["mail.sent"],
    )
    assert (steps["Sweep"]["type"], steps["Sweep"]["cronExpression"]) == ("cron", "0 9 * * *")
    assert (steps["Shop"]["type"], steps["Shop"]["emits"]) == ("noop", [])

    ids = {step["id"]: step["name"] for step in shop["steps"]}
    assert [(ids[edge["source"]], ids[edge["target"]], edge["data"]) for edge in shop["edges"]] == [
        ("Order", "Pay", {"variant": "event", "topic": "order.placed"}),
        (
            "Order",
            "Pay",
            {"variant": "event", "topic": "order.refused", "label": "too dear", "labelVariant": "conditional"},
        ),
        ("Pay", "Shop", {"variant": "virtual", "topic": "mail.sent"}),
        ("Sweep", "Pay", {"variant": "event", "topic": "order.placed"}),
        ("Shop", "Order", {"variant": "virtual", "topic": "shop.opened"}),
    ]
    assert shop["edges"][0]["id"] == f"{shop['edges'][0]['source']}-{shop['edges'][0]['target']}"
    assert ([step["name"] for step in audit["steps"]], audit["edges"]) == (["Order", "Report"], [])


def test_a_step_has_the_same_id_in_each_place(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    for path, text in STEPS.items():
        write(other, path, text)
    assert [step["id"] for step in graph(project)[1]["steps"]] == [step["id"] for step in graph(other)[1]["steps"]]


@pytest.mark.motia("9", "motia-workbench.json is read, and written with all that it had")
def test_positions_are_those_of_the_workbench(project: Path) -> None:
    file = project / "motia-workbench.json"
    file.write_text(json.dumps(LAYOUT, indent=2))

    (shop,) = graph(project, "--flow", "shop")

    positions = {step["name"]: step["position"] for step in shop["steps"]}
    assert positions["Order"] == {"x": -12.5, "y": 40, "sourceHandlePosition": "bottom"}
    assert positions["Sweep"]["x"] < positions["Pay"]["x"] < positions["Shop"]["x"]
    assert len({(one["x"], one["y"]) for one in positions.values()}) == len(positions)
    assert json.loads(file.read_text()) == LAYOUT

    assert graph(project, "--flow", "shop", "--save-layout") == [shop]
    written = json.loads(file.read_text())
    assert written[0]["config"] == {step["filePath"]: step["position"] for step in shop["steps"]}
    assert written[1] == LAYOUT[1]
    before = file.read_bytes()
    graph(project, "--flow", "shop", "--save-layout")
    assert file.read_bytes() == before


def test_a_diagram_for_people(project: Path) -> None:
    done = treadle("graph", project, "--flow", "shop", "--mermaid")
    assert (
        done.out
        == """\
---
title: shop
---
flowchart LR
  step0(["Order<br>POST /orders"])
  step1["Pay"]
  step2{{"Sweep<br>0 9 * * *"}}
  step3[/"Shop"/]
  step0 -->|"order.placed"| step1
  step0 -.->|"too dear"| step1
  step1 -.->|"mail.sent"| step3
  step2 -->|"order.placed"| step1
  step3 -.->|"shop.opened"| step0

"""
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "EOF while parsing"),
        ('[{"id": "shop"}]', "at `0.config`"),
        ('[{"id": "a", "config": {"x": {"x": 1}}}]', "0.config.x.y"),
    ],
)
def test_a_broken_layout_is_told(project: Path, text: str, said: str) -> None:
    (project / "motia-workbench.json").write_text(text)
    done = treadle("graph", project)
    assert done.code == 1
    assert "error[layout-file-invalid]" in done.err
    assert said in done.err


def test_a_flow_that_is_not_there_is_told(project: Path) -> None:
    done = treadle("graph", project, "--flow", "ship")
    assert (done.code, "error[no-such-flow]" in done.err, "it has audit, shop" in done.err) == (1, True, True)
