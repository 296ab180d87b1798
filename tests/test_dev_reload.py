"""What an edit leaves alone: messages on their way, what is stored, and whoever is connected."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from support.dev import Dev, wait_until
from support.followers import Followers
from support.projects import api_step, event_step, messaging, write
from treadle_local.dev.watch import Edits

MESSAGES = 60
RELOADS = 3


def test_reloads_amid_work_lose_no_message_no_state_and_no_socket(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = messaging(tmp_path)
    send = (
        f"    for number in range({MESSAGES}):\n"
        '        await context.emit({"topic": "work", "data": {"n": number}})\n'
        '    await context.state.set("kept", "x", {"n": 1})\n    return {"body": {}}'
    )
    write(project, "steps/send_step.py", api_step("Send", send))
    write(project, "steps/work_step.py", _work(gate, 0))
    with Dev(project) as dev, Followers(dev.ready["ws"], 3) as followers:
        followers.join("processed", "all")
        assert dev.http("POST", "/send", {}).status == 200

        for version in range(1, RELOADS + 1):
            write(project, "steps/work_step.py", _work(gate, version))
            wait_until(f"reload {version}", lambda: len(dev.all("reloaded")) == version)  # noqa: B023 - called at once
        assert dev.first("handled", step="Work") is None, "all of it is held at the gate, in a step or in the queue"
        gate.touch()

        wait_until("every message", lambda: len(dev.all("handled", step="Work")) >= MESSAGES)
        wait_until("every update", lambda: all(len(one.frames) > MESSAGES for one in followers.all))
        stored = dev.client("dynamodb").scan(TableName="messaging--dev--state")["Items"]
        done = {item["key"]["S"]: item["value"]["M"]["version"]["N"] for item in stored if item["group"]["S"] == "done"}
        assert set(done) == {str(number) for number in range(MESSAGES)}
        assert {"0", str(RELOADS)} <= set(done.values()), (
            "those under way end on their code, those that wait get the new"
        )
        assert [item["key"]["S"] for item in stored if item["group"]["S"] == "kept"] == ["x"]
        assert [record["record"]["result"] for record in dev.all("handled", step="Work")] == ["ok"] * MESSAGES
        for one in followers.all:
            assert not one.was_closed
            told = [message["id"] for message in one.messages() if message["event"]["type"] == "create"]
            assert sorted(told, key=int) == [str(number) for number in range(MESSAGES)]


def _work(gate: Path, version: int) -> str:
    body = f"""    import asyncio, pathlib
    while not pathlib.Path({str(gate)!r}).exists():
        await asyncio.sleep(0.01)
    key = str(data["n"])
    await context.state.set("done", key, {{"version": {version}}})
    await context.streams.processed.set("all", key, {{"text": key, "userId": key, "status": "done"}})"""
    return event_step("Work", "work", body)


def test_every_way_of_changing_a_file_is_an_edit_and_what_tools_write_is_none(tmp_path: Path) -> None:
    root = tmp_path / "app"
    (root / "steps").mkdir(parents=True)
    (root / ".venv").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "z.py").touch()

    async def watch() -> list[str]:
        edits = Edits(root)
        unseen: list[str] = []
        for name, edit in (
            ("a new file", lambda: (root / "steps/a.py").write_text("1")),
            ("a new text", lambda: (root / "steps/a.py").write_text("2")),
            ("a new name", lambda: (root / "steps/a.py").rename(root / "steps/b.py")),
            ("a link", lambda: (root / "steps/link.py").symlink_to("b.py")),
            ("another name", lambda: os.link(root / "steps/b.py", root / "steps/c.py")),
            ("a file in folders that are new", lambda: _write_in_new_folders(root)),
            ("a second file there", lambda: (root / "new/deep/y.py").write_text("")),
            ("a folder moved in", lambda: outside.rename(root / "moved")),
            ("a file in it", lambda: (root / "moved/z.py").write_text("1")),
            ("a folder removed", lambda: shutil.rmtree(root / "new")),
            ("a file removed", lambda: (root / "steps/b.py").unlink()),
        ):
            edit()
            try:
                await asyncio.wait_for(edits.next(), 10)
            except TimeoutError:
                unseen.append(name)
        (root / ".venv/tool.py").write_text("1")
        (root / "steps/a.pyc").write_text("1")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(edits.next(), 0.2)
            unseen.append("nothing: tools wrote files of their own")
        await edits.close()
        return unseen

    assert asyncio.run(watch()) == []


def _write_in_new_folders(root: Path) -> None:
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/x.py").write_text("")
