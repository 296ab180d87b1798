"""The list from outside: its API, and what those who follow it are told."""


def test_a_todo_is_made_changed_and_deleted(app):
    status, todo = app.request("POST", "/todos", {"title": "buy milk"})
    assert (status, todo["title"], todo["done"]) == (201, "buy milk", False)

    status, changed = app.request("PATCH", f"/todos/{todo['id']}", {"done": True})
    assert (status, changed) == (200, {"id": todo["id"], "title": "buy milk", "done": True})
    assert todo["id"] in [one["id"] for one in app.request("GET", "/todos?done=true")[1]]
    assert todo["id"] not in [one["id"] for one in app.request("GET", "/todos?done=false")[1]]

    assert app.request("DELETE", f"/todos/{todo['id']}")[0] == 204
    assert app.request("DELETE", f"/todos/{todo['id']}")[0] == 404
    assert app.request("PATCH", f"/todos/{todo['id']}", {"done": True})[0] == 404


def test_a_todo_without_a_title_is_refused_with_the_reason(app):
    status, body = app.request("POST", "/todos", {"title": ""})

    assert (status, body["error"]) == (400, "Validation error")
    assert body["details"][0]["path"] == "title"


def test_whoever_follows_the_list_sees_every_change(app):
    with app.follow("todos", "all") as client:
        _, todo = app.request("POST", "/todos", {"title": "water the plants"})
        assert client.next(todo["id"])["data"] == todo

        app.request("PATCH", f"/todos/{todo['id']}", {"done": True})
        assert client.next(todo["id"])["data"] == {**todo, "done": True}

        app.request("DELETE", f"/todos/{todo['id']}")
        assert client.next(todo["id"])["type"] == "delete"


def test_the_page_is_served(app):
    status, page = app.request("GET", "/")

    assert status == 200
    assert "<title>Todos</title>" in page
