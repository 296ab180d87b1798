"""Becomes AWS's runtime interface client, for an address that has a path in it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from treadle_local.functions.guest.inspecting import listen
from treadle_local.functions.guest.transport import Transport


def search_path(task_root: str, layers: str | None, runtime_folder: str) -> list[str]:
    """What precedes the standard library on `sys.path`, in Lambda's order.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    """
    packages = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    of_layers = [f"{layers}/python", f"{layers}/python/{packages}"] if layers is not None else []
    return [task_root, *of_layers, runtime_folder]


def run(handler: str) -> None:
    """Serves events until the process ends. The environment, the folder and `sys.path` are the function's by now.

    The client's own Python code, which posts nothing but errors of the start, knows hosts and ports only: the path of
    the address is put before each of its own. This leans on names of the pinned version.

    It asks for the next event on the main thread, as on AWS before Python 3.12. A new thread for every event, as since
    then, lets signals be handled while it waits; here nobody sends one, and it costs a third of a short invocation.
    """
    # by name: it is installed for the function's interpreter, not for the one that checks types
    inspected = os.environ.pop("TREADLE_INSPECT", None)
    if inspected is not None:
        listen(inspected)
    modules: Any = sys.modules
    modules["runtime_client"] = Transport(os.environ["AWS_LAMBDA_RUNTIME_API"])
    bootstrap: Any = importlib.import_module("awslambdaric.bootstrap")
    base: Any = importlib.import_module("awslambdaric.lambda_runtime_client").LambdaRuntimeClient
    address, token = os.environ["AWS_LAMBDA_RUNTIME_API"].split("/")

    class Client(base):  # type: ignore[misc]
        def call_rapid(self, method: str, endpoint: str, *more: object) -> None:
            super().call_rapid(method, f"/{token}{endpoint}", *more)  # pyright: ignore[reportUnknownMemberType]

    sys.argv = [f"{os.environ['LAMBDA_RUNTIME_DIR']}/bootstrap.py", handler]
    bootstrap.run(handler, Client(address, False))
