"""Metric values: ingest, lists and charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.api import Api, eventually
from telemetry.conftest import Project


def send(project: Project, *values: dict) -> dict:
    return project.sender.call("POST", "/api/v1/performance_metrics", 200, json={"metrics": list(values)}).json()


def minute(ago: int) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=ago)


def value(name: str, number: float, at: datetime, **more: object) -> dict:
    return {"metric_name": name, "metric_value": number, "timestamp": at.isoformat()} | more


def chart(project: Project, name: str, **params: object) -> list[dict]:
    span = {"from": minute(30).isoformat(), "granularity": "minute"}
    return project.api.get("/api/v1/metric_stats", project_id=project.id, metric_name=name, **span, **params)["data"]


def test_values_are_listed_and_charted_by_their_tags(project: Project) -> None:
    at = minute(5)
    values = [value("queue", n, at, unit="1", tags={"host": host, "n": 1}) for host, n in (("a", 2), ("a", 4), ("b", 10))]
    assert send(project, *values) == {"accepted": 3, "rejected": []}
    rows = eventually(lambda: len(found := project.api.all("performance_metrics", project_id=project.id)) == 3 and found)
    assert {row["metric_value"] for row in rows} == {2, 4, 10}
    assert rows[0]["tags"] == {"host": rows[0]["tags"]["host"], "n": "1"}
    only = project.api.all("performance_metrics", project_id=project.id, tags="host:b")
    assert [row["metric_value"] for row in only] == [10]
    lines = chart(project, "queue", group_by="host", aggregate="avg")
    assert [(line["tags"]["host"], line["points"][0]["value"]) for line in lines] == [("a", 3), ("b", 10)]
    assert chart(project, "queue", aggregate="max")[0]["points"][0]["samples"] == 3


def test_duplicates_are_counted_once(project: Project) -> None:
    at = minute(3)
    same = [value("again", 1, at), value("again", 2, at, id="mine")]
    for _ in range(3):
        assert send(project, *same)["accepted"] == 2
    send(project, value("last", 1, at))
    eventually(lambda: project.api.all("performance_metrics", project_id=project.id, metric_name="last"))
    assert len(project.api.all("performance_metrics", project_id=project.id, metric_name="again")) == 2
    assert chart(project, "again", aggregate="count")[0]["points"][0]["value"] == 2


def test_invalid_values_are_rejected_individually(project: Project) -> None:
    now = minute(0)
    wrong = [
        value("", 1, now),
        value("x", 1, now, tags={"deep": {}}),
        value("x", 1, now - timedelta(days=40)),
        {"metric_name": "x", "metric_value": "many"},
        {"metric_name": "x", "metric_value": 1, "id": "without-its-time"},
        value("x", 1, now, colour="red"),
    ]
    answer = send(project, *wrong, value("fine", 1, now))
    assert answer["accepted"] == 1, answer
    assert [each["index"] for each in answer["rejected"]] == list(range(len(wrong))), answer
    assert all(each["message"] and each["code"] for each in answer["rejected"])


def test_series_above_the_limit_are_rejected(project: Project, deployment: object) -> None:
    api: Api = project.api
    path = "/api/v1/system_config/insight.metrics"
    before = api.get(path)
    api.call("PUT", path, 200, json={"config_value": {"max_series": 3}})
    try:

        def send_five_series() -> dict:
            at = minute(1)
            return send(project, *(value("users", 1, at, tags={"user": n}) for n in range(5)))

        answer = eventually(lambda: (made := send_five_series())["accepted"] == 3 and made)
        assert {each["code"] for each in answer["rejected"]} == {"too_many_series"}, answer
    finally:
        api.call("PUT", path, 200, json={"config_value": before["config_value"]})


def test_a_total_shows_its_increase(project: Project) -> None:
    samples = [(6, 100), (5, 130), (4, 7)]
    send(project, *(value("requests", n, minute(ago), kind="total") for ago, n in samples))
    shown = eventually(lambda: chart(project, "requests", aggregate="sum"))[0]["points"]
    assert [point["value"] for point in shown] == [0, 30, 7]


def test_invalid_chart_parameters_are_rejected(project: Project) -> None:
    long = {"from": minute(3 * 24 * 60).isoformat(), "granularity": "minute"}
    for params in (long, {"group_by": "a,b,c,d,e,f"}, {"aggregate": "most"}, {"tags": "nothing"}):
        query = {"project_id": project.id, "metric_name": "x"} | params
        project.api.get("/api/v1/metric_stats", 400, **query)
    project.api.get("/api/v1/metric_stats", 400, metric_name="x")
