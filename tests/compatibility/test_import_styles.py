"""Each way in which Motia's steps import their project's files, in `treadle dev` and in what goes to AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import treadle
from support.dev import Dev
from support.projects import write

STYLES = {
    "root": "from src.services.orders import VALUE",
    "beside": "from sibling import VALUE",
    "above": "from services.orders import VALUE",
    "top": "from middlewares.auth import VALUE",
    "relative": "from ..services.orders import VALUE",
    "patched": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../lib'))\n"
    "from patched import VALUE",
    "project": "from shop.src.services.orders import VALUE",
    "literal": "import importlib\nVALUE = importlib.import_module('src.services.orders').VALUE",
    "late": "def load():\n    from src.services import orders\n    return orders.VALUE\nVALUE = load()",
    "computed": "import importlib\nVALUE = importlib.import_module('.'.join(['src', 'plugins', 'one'])).VALUE",
}
STEP = """{imports}
config = {{"name": "{name}", "type": "api", "path": "/{name}", "method": "GET", "emits": []{extra}}}


async def handler(req, context):
    return {{"body": {{"value": VALUE}}}}
"""
MODULES = {
    "treadle.toml": 'name = "shop"\n',  # its zip is all that a step sees
    "src/services/orders.py": "VALUE = 1\n",
    "src/api/sibling.py": "from sibling_too import VALUE\n",
    "src/api/sibling_too.py": "VALUE = 1\n",
    "middlewares/auth.py": "from src.services.orders import VALUE\n",
    "lib/patched.py": "VALUE = 1\n",
    "src/plugins/one.py": "from src.plugins.two import VALUE\n",
    "src/plugins/two.py": "VALUE = 1\n",
}
FILES = {
    "root": "src/api/root_step.py",
    "top": "src/api/00_top_step.py",
    "late": "src/api/late-one_step.py",
    "above": "src/api/above.api_step.py",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styles") / "shop"
    for path, text in MODULES.items():
        write(folder, path, text)
    for name, imports in STYLES.items():
        extra = ', "includeFiles": ["../plugins/*.py"]' if name == "computed" else ""
        text = STEP.format(imports=imports, name=name, extra=extra)
        write(folder, FILES.get(name, f"src/api/{name}_step.py"), text)
    return folder


@pytest.fixture(scope="module")
def dev(project: Path) -> Iterator[Dev]:
    with Dev(project, "--no-watch") as running:
        yield running


@pytest.mark.motia("2", "every style of import works in dev, from the zip alone")
@pytest.mark.parametrize("name", STYLES)
def test_a_style_of_import_works_in_dev(dev: Dev, name: str) -> None:
    assert dev.http("GET", f"/{name}").json() == {"value": 1}


@pytest.mark.motia("1", "names of files with dots, dashes and digits in front")
def test_nothing_is_amiss_with_the_project(dev: Dev) -> None:
    assert dev.all("findings") == []


@pytest.mark.motia("2", "every style of import works in the bundle")
def test_every_handler_loads_from_its_zip(project: Path) -> None:
    done = treadle("synth", project, "--stage", "prod")
    assert done.code == 0, done.err
    assert "warning" not in done.err
