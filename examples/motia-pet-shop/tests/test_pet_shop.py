"""The shop from outside."""

SHOP = {"x-shop": "london"}


def test_a_pet_is_taken_in_and_welcomed(app):
    status, pet = app.request("POST", "/pets", {"name": "Rex", "kind": "dog"}, SHOP)
    assert (status, pet) == (201, {"id": "1", "name": "Rex", "kind": "dog", "status": "new", "letter": None})

    ready = app.wait_until(lambda: (found := app.request("GET", "/pets/1", None, SHOP)[1])["status"] == "ready" and found)
    assert ready["letter"] == "Welcome, Rex! Your basket is by the window."


def test_the_middleware_answers_for_the_handler(app):
    assert app.request("GET", "/pets/1") == (400, {"error": "Say which shop: x-shop"})


def test_what_is_no_pet_is_refused_by_the_handler_itself(app):
    status, body = app.request("POST", "/pets", {"name": "Rex", "kind": "dinosaur"}, SHOP)

    assert status == 400
    assert body["error"][0]["loc"] == ["kind"]


def test_there_is_no_such_pet(app):
    assert app.request("GET", "/pets/77", None, SHOP)[0] == 404


def test_the_pets_are_counted(app):
    app.treadle("cron", "run", "CountPets")
