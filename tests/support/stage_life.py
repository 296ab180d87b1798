"""What every place that the messaging example is deployed to has to show."""

from __future__ import annotations

import json

from websockets.sync.client import connect

from support.deployed import Project, items, names_of, request, the
from support.dev import wait_until

TABLES = ["messages--stream", "processed--stream", "state", "summary--stream"]


def check_requests_events_and_streams(project: Project) -> None:
    """A second deployment changes nothing; a request is answered, its message handled, and a follower told."""
    deployed = the("unchanged", project.events("deploy"))
    with connect(deployed["ws"], open_timeout=20) as socket:
        join = {"streamName": "processed", "groupId": "default", "subscriptionId": "s1"}
        socket.send(json.dumps({"type": "join", "data": join}))
        assert json.loads(socket.recv(timeout=20))["event"]["type"] == "sync"

        answer = request("POST", f"{deployed['http']}/messages", {"text": "hi", "userId": "u1"})

        assert (answer.status, answer.json()["status"]) == (201, "sent")
        told = json.loads(socket.recv(timeout=30))
        assert (told["event"]["type"], told["event"]["data"]["status"]) == ("create", "processed")
    wait_until(
        "the processed message", lambda: "processed" in str(items(project.cloud, "messaging--prod--processed--stream"))
    )


def check_only_what_changed_is_changed(project: Project) -> None:
    """An edit changes its function only, and the code that answers is new."""
    step = project.folder / "steps" / "api_step.py"
    step.write_text(step.read_text().replace('return {"status": 201', 'return {"status": 202'))

    events = project.events("deploy")

    plan = the("plan", events)
    assert [(change["kind"], change["resource"]) for change in plan["changes"]] == [("modify", "FunctionSendMessage")]
    assert plan["permissions"] == []
    assert the("uploaded", events)["sent"] == 1
    url = the("deployed", events)["http"]
    assert request("POST", f"{url}/messages", {"text": "hi", "userId": "u2"}).status == 202


def check_data_outlives_the_stage(project: Project) -> None:
    """Production's tables stay when it is removed and come back with it; `--delete-data` removes them too."""
    cloud = project.cloud
    of_two_people_sent_and_processed = 4
    wait_until(
        "the last message", lambda: len(items(cloud, "messaging--prod--state")) == of_two_people_sent_and_processed
    )
    before = items(cloud, "messaging--prod--state")

    removed = the("removed", project.events("remove"))

    kept = [f"messaging--prod--{table}" for table in TABLES]
    assert (removed["kept"], removed["leftovers"]) == (kept, [])
    assert names_of(cloud, "messaging--prod") == kept

    plan = the("plan", project.events("deploy"))
    assert sum(change["kind"] == "take-back" for change in plan["changes"]) == len(TABLES)
    assert items(cloud, "messaging--prod--state") == before

    assert the("removed", project.events("remove", "--delete-data"))["leftovers"] == []
    assert names_of(cloud, "messaging--prod") == []
