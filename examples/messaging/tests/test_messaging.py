"""What happens to a message, from outside."""


def test_a_message_is_answered_and_processed(app):
    with app.follow("processed") as client:
        assert client.items == []

        status, body = app.request("POST", "/messages", {"text": "hi", "userId": "u1"})

        assert (status, body) == (201, {"text": "hi", "userId": "u1", "status": "sent"})
        assert client.next("u1")["data"] == {"id": "u1", "text": "hi", "userId": "u1", "status": "processed"}


def test_the_summary_can_be_made_at_any_time(app):
    with app.follow("summary") as client:
        app.treadle("cron", "run", "DailySummary")

        assert client.next("latest")["data"]["status"] == "completed"
