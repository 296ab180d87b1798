"""`treadle deploy` and `treadle remove` of a production stage, with an accident at one of their calls to AWS."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field

from support.command import Done
from support.deployed import Project, names_of, request
from support.dev import TREADLE, wait_until
from support.faulty_way import Accident, Call, FaultyWay
from support.judges import aws_environment
from support.projects import api_step, event_step, write
from support.stacks import outputs, statuses

STAGE = "prod"
_HELLO = '    return {"status": 200, "body": {"release": %d}}'
_LATER = event_step("Later", "later", "    return None")
_SOON = event_step("Soon", "later", "    return None")
_NOTES = 'config = {"name": "notes", "schema": {"type": "object"}}\n'


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, the calls that it made, and the one that the accident happened to."""

    done: Done
    calls: tuple[Call, ...]
    happened: Call | None


@dataclass(slots=True)
class Releases:
    """A project in two releases: a changed step, one that goes, one that comes, and a table that comes.

    `release` is the one that is deployed, 0 for none; `known` the names of all that is there with each.
    """

    project: Project
    app: str
    release: int = 0
    known: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    @property
    def stack(self) -> str:
        return f"{self.app}--{STAGE}"

    def learn(self) -> None:
        """Deploys both releases with no accident, to see what is there then."""
        for release in (1, 2):
            assert self.deploy(release).done.code == 0
            self.known[release] = self.names()
        # production's tables outlive the release that knows them
        self.known[1] = sorted([*self.known[1], f"{self.stack}--notes--stream"])

    def write(self, release: int) -> None:
        folder = self.project.folder
        write(folder, "treadle.toml", f'name = "{self.app}"\n')
        write(folder, "steps/hello_step.py", api_step("Hello", _HELLO % release, method="GET"))
        for file in ("later_step.py", "soon_step.py", "notes_stream.py"):
            (folder / "steps" / file).unlink(missing_ok=True)
        if release == 1:
            write(folder, "steps/later_step.py", _LATER)
        else:
            write(folder, "steps/soon_step.py", _SOON)
            write(folder, "steps/notes_stream.py", _NOTES)

    def bring_to(self, release: int) -> None:
        """The stage is at that release, whatever it was at before."""
        if release != self.release:
            ended = self.deploy(release) if release else self.remove()
            assert ended.done.code == 0, ended.done.err

    def deploy(self, release: int, accident: Accident | None = None, at: int | str = 0) -> Ended:
        """`treadle deploy` of a release."""
        self.write(release)
        self.release = release
        return self.run("deploy", FaultyWay(self.project.cloud.endpoint, accident, at))

    def remove(self, accident: Accident | None = None, at: int | str = 0) -> Ended:
        """`treadle remove` of everything, data too."""
        self.release = 0
        return self.run("remove", FaultyWay(self.project.cloud.endpoint, accident, at), "--delete-data")

    def run(self, command: str, way: FaultyWay, *arguments: str) -> Ended:
        """The command on that way, which has yes for an answer; one that is killed ends with code -9."""
        with way:
            process = subprocess.Popen(
                [TREADLE, command, self.project.folder, "--stage", STAGE, "--yes", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **aws_environment(way.endpoint)},
            )

            def kill() -> None:
                process.kill()
                process.wait(10)

            way.kill = kill
            out, err = process.communicate(timeout=60)
            return Ended(Done(process.returncode, out, err), tuple(way.calls), way.happened)

    def names(self) -> list[str]:
        """Of all that is there of the stage."""
        return names_of(self.project.cloud, f"{self.app}--")

    def answers(self) -> int | None:
        """The release that answers requests; None where none is there, the negative status where it does not."""
        client = self.project.cloud.client("cloudformation")
        if not statuses(client, self.stack) or "HttpApiId" not in (found := outputs(client, self.stack)):
            return None
        url = f"{self.project.cloud.endpoint}/_aws/execute-api/{found['HttpApiId']}/$default/hello"
        answer = request("GET", url)
        return int(answer.json()["release"]) if answer.status == 200 else -answer.status

    def wait_until_aws_is_done(self) -> None:
        """What the deployer had asked for goes on without it."""
        client = self.project.cloud.client("cloudformation")

        def is_quiet() -> bool:
            found = statuses(client, self.stack)
            return not found or found[0] == "REVIEW_IN_PROGRESS" or not found[0].endswith("_IN_PROGRESS")

        wait_until(f"{self.stack} is quiet", is_quiet)
