"""What the emulator is judged by: ministack, another emulator, and the AWS CLI; `make judges` installs both."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import boto3
from botocore.config import Config

from support.dev import wait_until

_JUDGES = Path(__file__).resolve().parent.parent / "judges"
AWS_CLI = _JUDGES / ".awscli" / "bin" / "aws"
_PYTHON = _JUDGES / ".ministack" / "bin" / "python"
_REGION = "us-east-1"


def free_port() -> int:
    """A port on loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def aws_environment(endpoint: str) -> dict[str, str]:
    """What points an AWS client at an endpoint, and at nothing else of this machine's."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


class Ministack:
    """A running ministack on loopback. Source: https://pypi.org/project/ministack/"""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._clients: dict[str, Any] = {}
        self._log = (folder / "ministack.log").open("w")
        # its functions inherit the environment: nothing of ours may be in it
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "BIND_HOST": "127.0.0.1"}
        self.process = subprocess.Popen(
            [_PYTHON, "-m", "ministack"],
            cwd=folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**environment, "GATEWAY_PORT": str(self.port), "LOG_LEVEL": "WARNING"},
        )
        try:
            wait_until("ministack's health", self._healthy)
        except AssertionError:
            self.stop()
            raise

    def _healthy(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"ministack ended with {self.process.returncode}; see {self._log.name}")
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:
                return cast("int", answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def client(self, service: str) -> Any:
        if service not in self._clients:
            session: Any = boto3.session.Session(region_name=_REGION)
            self._clients[service] = session.client(
                service,
                endpoint_url=self.endpoint,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def reset(self) -> None:
        """Forgets everything."""
        request = urllib.request.Request(f"{self.endpoint}/_ministack/reset", method="POST", data=b"")
        with urllib.request.urlopen(request, timeout=30):
            pass

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def __enter__(self) -> Ministack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def aws_cli(
    endpoint: str, *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command of the unmodified AWS CLI, run to its end."""
    return subprocess.run(
        [AWS_CLI, *arguments],
        cwd=cwd,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        env={"PATH": os.environ["PATH"], **aws_environment(endpoint), **(environment or {})},
    )


def aws_cli_json(endpoint: str, *arguments: str) -> Any:
    """What a command of the AWS CLI that must succeed prints, as a JSON value; None where it prints nothing."""
    done = aws_cli(endpoint, *arguments, "--output", "json")
    assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else None
