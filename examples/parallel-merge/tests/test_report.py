"""The parts come in any order; the report is made once."""


def report_of(app, text):
    status, body = app.request("POST", "/reports", {"text": text})
    assert status == 202
    return app.wait_until(lambda: "summary" in (found := app.request("GET", f"/reports/{body['id']}")[1]) and found)


def test_the_report_has_every_part(app):
    report = report_of(app, "tea and more tea")

    assert report["summary"] == "4 words, 13 letters, the longest word is 'more'"


def test_every_report_is_merged_once(app):
    reports = [report_of(app, f"report number {number}") for number in range(5)]

    assert [report["merged"] for report in reports] == [1] * 5
