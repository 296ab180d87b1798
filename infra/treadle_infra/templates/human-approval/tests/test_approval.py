"""The flow from outside: what is paid, what waits, and what happens when nobody decides."""


def submit(app, amount, **more):
    status, body = app.request("POST", "/expenses", {"employee": "ada", "amount": amount, **more})
    assert status == 201
    return body["id"], body["status"]


def status_becomes(app, expense_id, wanted):
    return app.wait_until(lambda: app.request("GET", f"/expenses/{expense_id}")[1]["status"] == wanted)


def test_a_small_expense_is_paid_without_anybody(app):
    expense_id, status = submit(app, 20)

    assert status == "approved"
    status_becomes(app, expense_id, "paid")


def test_a_large_expense_waits_for_a_person(app):
    expense_id, status = submit(app, 250)
    assert status == "waiting"

    decision = app.request("POST", f"/expenses/{expense_id}/decision", {"approved": True, "by": "grace"})

    assert decision == (200, {"status": "approved"})
    status_becomes(app, expense_id, "paid")


def test_only_the_first_decision_counts(app):
    expense_id, _ = submit(app, 250)

    first = app.request("POST", f"/expenses/{expense_id}/decision", {"approved": False, "by": "grace"})
    second = app.request("POST", f"/expenses/{expense_id}/decision", {"approved": True, "by": "alan"})

    assert (first[0], second[0]) == (200, 409)
    assert app.request("GET", f"/expenses/{expense_id}")[1]["by"] == "grace"


def test_what_nobody_decides_in_time_is_refused(app):
    waiting, _ = submit(app, 250)
    too_late, _ = submit(app, 300, waitSeconds=0)

    app.treadle("cron", "run", "ExpireExpenses")

    status_becomes(app, too_late, "refused")
    assert app.request("GET", f"/expenses/{waiting}")[1]["status"] == "waiting"
