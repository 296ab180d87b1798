"""The agent from outside. Its model is a fake one, so that its answers are known."""


def test_a_question_is_answered_word_by_word(app):
    with app.follow("answers", "all") as client:
        status, body = app.request("POST", "/questions", {"question": "How tall is the Eiffel tower?"})
        assert status == 202

        told = []
        while not told or told[-1]["status"] != "done":
            told.append(client.next(body["id"])["data"])

    statuses = list(dict.fromkeys(item["status"] for item in told))
    assert statuses == [status for status in ("planning", "looking up", "writing", "done") if status in statuses]
    assert statuses[-2:] == ["writing", "done"]
    texts = [item["text"] for item in told]
    assert all(after.startswith(before) for before, after in zip(texts, texts[1:]))
    assert texts[-1] == "The Eiffel tower is 330 metres tall."


def test_the_answer_can_be_asked_for(app):
    _, body = app.request("POST", "/questions", {"question": "Who was that?"})

    answer = app.wait_until(
        lambda: (found := app.request("GET", f"/questions/{body['id']}")[1])["status"] == "done" and found
    )
    assert answer["text"] == "I know nothing about that: Who was that?"
    assert app.request("GET", "/questions/none")[0] == 404
