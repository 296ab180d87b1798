"""What happens to a message, from outside."""

import json

from websockets.sync.client import connect


def test_a_message_is_answered_and_processed(app):
    with connect(app.ws) as client:
        follow = {"streamName": "processed", "groupId": "default", "subscriptionId": "test"}
        client.send(json.dumps({"type": "join", "data": follow}))
        assert json.loads(client.recv(timeout=30))["event"] == {"type": "sync", "data": []}

        status, body = app.request("POST", "/messages", {"text": "hi", "userId": "u1"})
        assert (status, body) == (201, {"text": "hi", "userId": "u1", "status": "sent"})

        told = json.loads(client.recv(timeout=30))["event"]
        assert (told["type"], told["data"]["status"]) == ("create", "processed")


def test_the_summary_can_be_made_at_any_time(app):
    with connect(app.ws) as client:
        follow = {"streamName": "summary", "groupId": "default", "subscriptionId": "test"}
        client.send(json.dumps({"type": "join", "data": follow}))
        client.recv(timeout=30)

        app.treadle("cron", "run", "DailySummary")

        assert json.loads(client.recv(timeout=30))["event"]["data"]["status"] == "completed"
