"""The routes about schedules, runs over time, backfills and incidents."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.events import ScheduleChecked

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

SETTINGS = "[tracking]\nenabled = false\n[incidents]\ndev = true\n[environments.prod]\n"
DAYS = """
schedules:
  daily: {cron: "0 6 * * *", zone: Europe/Berlin, interval: day}
stages:
  load:
    notebook: notebooks/load.ipynb
    executor: inprocess
    params: {day: "${interval.start}"}
    outputs: {out: "data/days/${interval.name}.txt"}
  count:
    notebook: notebooks/count.ipynb
    executor: inprocess
    inputs: {days: load.out}
    outputs: {length: "data/lengths/${interval.name}.txt"}
"""
LOAD = """
import pathlib
if pathlib.Path("broken").exists(): raise RuntimeError("no file of that day")
pathlib.Path(out).write_text(day)
"""


@pytest.fixture
def days(lab: ProjectBuilder) -> ProjectBuilder:
    """A pipeline about days, with a schedule that does not fire while a test runs; incidents are opened in the working tree."""
    lab.file("stagebook.toml", SETTINGS)
    lab.notebook("load", LOAD, params="day = ''\nout = ''")
    lab.notebook(
        "count", "_ = open(length, 'w').write(str(len(open(days).read())))", params="days = ''\nlength = ''"
    )
    lab.pipeline(DAYS, "days")
    return lab


def day(before: int) -> str:
    """The day so many days ago, in UTC."""
    return (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=before)).isoformat()


async def run(api: Any, interval: str = "", *, pipeline: str = "days") -> dict[str, Any]:
    """Run the pipeline about an interval, and wait for its end."""
    started = await api.post("runs", pipeline=pipeline, interval=interval)
    return await ended(api, started)


async def ended(api: Any, started: dict[str, Any]) -> dict[str, Any]:
    return await api.until(
        "processes", str(started["pid"]), that=lambda reply: reply["exit_code"] is not None
    )


async def post_refused(api: Any, *parts: str, **body: Any) -> tuple[int, Any]:
    code, reply = await api.refused(*parts, method="POST", body=json.dumps(body))
    return code, reply


async def test_a_schedule_is_paused_and_resumed_in_the_name_of_who_asks(
    api: Any, days: ProjectBuilder
) -> None:
    reply = await api.get("schedules")
    (one,) = reply["schedules"]
    assert (one["pipeline"], one["name"], one["environment"], one["fires"]) == (
        "days", "daily", "dev", "0 6 * * * (Europe/Berlin)",
    )  # fmt: skip
    assert (one["paused"], one["last"], one["turned"], reply["leader"]) == (False, None, None, None)
    assert reply["next"][0]["at"] == one["next"]
    assert len(reply["next"]) == 10
    asked = {"pipeline": "days", "schedule": "daily"}
    await api.post("schedules", action="pause", because="  the source is down ", **asked)
    (one,) = (await api.get("schedules"))["schedules"]
    assert (one["paused"], one["next"]) == (True, None)
    assert (one["turned"]["action"], one["turned"]["because"]) == ("pause", "the source is down")
    assert one["turned"]["by"], "somebody"
    assert (await api.get("schedules"))["next"] == []
    await api.post("schedules", action="resume", **asked)
    (one,) = (await api.get("schedules"))["schedules"]
    assert (one["paused"], one["turned"]["action"]) == (False, "resume")


async def test_a_schedule_is_triggered_and_its_run_comes(api: Any, days: ProjectBuilder) -> None:
    reply = await api.post("schedules", action="trigger", pipeline="days", schedule="daily", because="now")
    assert reply["run"]
    done = await ended(api, reply["process"])
    assert done["exit_code"] == 0, done
    (one,) = (await api.get("schedules"))["schedules"]
    assert (one["last"]["outcome"], one["last"]["run"]) == ("completed", reply["run"])
    assert one["last"]["reason"].startswith("triggered by ")
    (column,) = (await api.get("grid", pipeline="days"))["runs"]
    assert (column["id"], column["schedule"], column["interval"]) == (
        reply["run"], "daily", one["last"]["interval"],
    )  # fmt: skip
    detail = await api.get("runs", reply["run"])
    assert detail["run"]["via"] == "JupyterLab"


async def test_what_is_wrong_with_a_schedule_is_told(api: Any, days: ProjectBuilder) -> None:
    code, refusal = await post_refused(api, "schedules", action="pause", pipeline="days", schedule="dayly")
    assert (code, refusal["message"]) == (400, "there is no schedule 'days/dayly'")
    code, refusal = await post_refused(api, "schedules", action="stop", pipeline="days", schedule="daily")
    assert (code, "'action'" in refusal["message"]) == (400, True)
    code, refusal = await post_refused(
        api, "schedules", action="pause", pipeline="days", schedule="daily", because="x" * 4001
    )
    assert (code, "at most 4,000 characters" in refusal["message"]) == (400, True)
    assert not (await api.get("schedules"))["schedules"][0]["paused"]
    days.file("pipelines/bad.yaml", "schedules: {x: {cron: '0 6 * *'}}\nstages: {}\n")
    problems = (await api.get("schedules"))["problems"]
    assert problems[0]["path"] == "pipelines/bad.yaml"


@pytest.mark.long
async def test_a_grid_has_runs_by_stages_and_a_calendar_the_days(api: Any, days: ProjectBuilder) -> None:
    assert (await run(api, day(3)))["exit_code"] == 0
    days.file("broken")
    assert (await run(api, day(2)))["exit_code"] == 1
    (days.root / "broken").unlink()
    again = await run(api, day(3))
    assert again["exit_code"] == 0
    await api.post("runs", again["run"], "notes", text="looked at it")
    grid = await api.get("grid", pipeline="days")
    assert grid["stages"] == ["load", "count"]
    assert [(one["interval"], one["status"], one["stages"]) for one in grid["runs"]] == [
        (day(3), "completed", {"load": "completed", "count": "completed"}),
        (day(2), "failed", {"load": "failed", "count": "blocked"}),
        (day(3), "completed", {"load": "reused", "count": "reused"}),
    ]
    assert [one["noted"] for one in grid["runs"]] == [[], [], [""]]
    assert (grid["older"], grid["zone"], grid["environments"]) == (0, "Europe/Berlin", ["dev", "prod"])
    latest = await api.get("grid", pipeline="days", limit=1)
    assert ([one["id"] for one in latest["runs"]], latest["older"]) == ([again["run"]], 2)
    none = await api.get("grid", pipeline="days", until=grid["runs"][0]["started"])
    assert (none["runs"], none["older"]) == ([], 0)
    assert (await api.get("grid", pipeline="days", environment="prod"))["runs"] == []

    failed = grid["runs"][1]["id"]
    detail = await api.get("grid/stage", run=failed, stage="load")
    assert "no file of that day" in detail["stage"]["message"]
    assert detail["run"]["interval"] == day(2)
    detail = await api.get("grid/stage", run=again["run"], stage="load")
    assert [note["text"] for note in detail["notes"]] == ["looked at it"]
    times = await api.get("grid/run", run=failed)
    load, count = times["stages"]
    assert times["run"]["started"] <= load["started"] <= load["ended"] <= times["run"]["ended"]
    assert (load["status"], count["status"], count["started"]) == ("failed", "blocked", None)
    assert times["upstream"]["count"] == ["load"]
    assert [one["attempt"] for one in times["attempts"]["load"]] == [1]

    calendar = await api.get("calendar", pipeline="days")
    places = {one["name"]: one for one in calendar["places"]}
    assert len(places) == 35
    assert places[day(3)]["intervals"] == {"done": 1}
    assert places[day(2)]["lacking"] == [{"name": day(2), "state": "failed"}]
    assert places[day(4)]["intervals"] == {}, "nothing was expected before the first run"
    assert sum(sum(one["runs"].values()) for one in places.values()) == 3
    months = await api.get("calendar", pipeline="days", period="month", count=3)
    assert len(months["places"]) == 3
    assert sum(one["runs"].get("failed", 0) for one in months["places"]) == 1


async def test_an_interval_is_checked_at_its_field_and_planned(api: Any, days: ProjectBuilder) -> None:
    pipelines = {one["key"]: one for one in (await api.get("pipelines"))["pipelines"]}
    assert (pipelines["days"]["takes_interval"], pipelines["sums"]["takes_interval"]) == (True, False)
    assert (await api.get("plan", pipeline="days"))["interval"] in {day(1), day(2)}, "the latest complete one"
    assert (await api.get("plan", pipeline="days", interval="2026-01-05"))["interval"] == "2026-01-05"
    code, refusal = await api.refused("plan", pipeline="days", interval="2026-13")
    assert code == 400
    assert refusal["fields"]["--interval"].startswith("'2026-13' is no time")
    code, refusal = await post_refused(api, "runs", pipeline="days", interval="yesterday")
    assert "'yesterday' names no interval" in refusal["fields"]["--interval"]
    days.pipeline(
        DAYS.replace('schedules:\n  daily: {cron: "0 6 * * *", zone: Europe/Berlin, interval: day}\n', ""),
        "bare",
    )
    code, refusal = await api.refused("plan", pipeline="bare")
    assert refusal["fields"]["--interval"].startswith("say what the run is about")


@pytest.mark.long
async def test_a_backfill_is_planned_run_and_looked_at(api: Any, days: ProjectBuilder) -> None:
    assert (await run(api, "2026-01-02"))["exit_code"] == 0
    asked = {"pipeline": "days", "start": "2026-01-01", "end": "2026-01-04"}
    plan = await api.post("backfills", "plan", **asked)
    assert [(one["intervals"], one["number"], one["state"], one["is_chosen"]) for one in plan["rows"]] == [
        ("2026-01-01", 1, "missing", True),
        ("2026-01-02", 1, "done", False),
        ("2026-01-03 … 2026-01-04", 2, "missing", True),
    ]
    assert (plan["count"], plan["more"]) == (3, 0)
    assert plan["lines"][0].startswith("3 of 4 intervals to run, the oldest first")
    assert plan["command"] == "stagebook backfill --from=2026-01-01 --to=2026-01-04 days"
    before = await api.get("backfills", pipeline="days")
    assert (before["backfills"], before["every"]) == ([], "day")
    days.file("broken")
    done = await ended(api, await api.post("backfills", **asked))
    assert done["exit_code"] == 1
    (one,) = (await api.get("backfills", pipeline="days"))["backfills"]
    assert (one["status"], one["total"], one["done"], one["failed"], one["left"]) == ("failed", 3, 0, 3, 0)
    assert [(it["interval"], it["status"]) for it in one["runs"]] == [
        ("2026-01-01", "failed"), ("2026-01-03", "failed"), ("2026-01-04", "failed"),
    ]  # fmt: skip
    (days.root / "broken").unlink()
    done = await ended(api, await api.post("backfills", one["id"], action="retry"))
    assert done["exit_code"] == 0, done
    latest, first = (await api.get("backfills", pipeline="days"))["backfills"]
    assert (latest["status"], latest["total"], latest["done"], latest["by"]) == (
        "completed",
        3,
        3,
        first["by"],
    )
    assert (latest["first"], latest["last"]) == ("2026-01-01", "2026-01-04")
    again = await api.post("backfills", "plan", **asked)
    assert again["count"] == 0, again


async def test_the_mistakes_of_a_backfill_stand_at_its_fields(api: Any, days: ProjectBuilder) -> None:
    asked = {"pipeline": "days", "start": "", "end": "soon", "every": "moon", "parallel": 65}
    code, refusal = await post_refused(api, "backfills", "plan", **asked)
    assert (code, set(refusal["fields"])) == (400, {"start", "end", "every", "parallel"})
    asked = {"pipeline": "days", "start": "2026-01-04", "end": "2026-01-01"}
    code, refusal = await post_refused(api, "backfills", "plan", **asked)
    assert refusal["fields"] == {"end": "2026-01-01 is before 2026-01-04"}
    code, refusal = await post_refused(api, "backfills", "plan", pipeline="sums", start="2026", end="2026")
    assert "every" in refusal["fields"], "no schedule says what an interval is"
    code, _ = await post_refused(api, "backfills", "plan", pipeline="none", start="2026", end="2026")
    assert code == 404
    code, refusal = await post_refused(api, "backfills", action="burn")
    assert code == 400
    assert (await post_refused(api, "backfills", "nothing", action="cancel"))[0] == 404


async def test_an_incident_of_a_schedule_has_its_name_and_no_run(api: Any, days: ProjectBuilder) -> None:
    paused = ScheduleChecked(run="", at=5.0, pipeline="days", schedule="daily", paused=True, by="ada")
    days.project.journal.append([paused])
    (one,) = (await api.get("incidents"))["incidents"]
    assert (one["name"], one["kind"], one["is_severe"], one["run"]) == ("days/daily", "paused", False, "")
    days.project.journal.append(
        [ScheduleChecked(run="", at=9.0, pipeline="days", schedule="daily", by="bob", because="back again")]
    )
    (one,) = (await api.get("incidents"))["incidents"]
    assert (one["closed"], one["closed_run"], one["over"]) == (9.0, "", "was resumed by bob: back again")


async def test_an_incident_is_acknowledged_noted_and_closed(api: Any, days: ProjectBuilder) -> None:
    assert (await api.get("incidents", "open"))["open"] == {}
    days.file("broken")
    assert (await run(api, "2026-01-02"))["exit_code"] == 1
    assert (await api.get("incidents", "open"))["open"] == {"dev": 1}
    reply = await api.get("incidents")
    (one,) = reply["incidents"]
    assert (one["pipeline"], one["subject"], one["kind"], one["runs"], one["closed"]) == (
        "days", "load", "failure", 1, None,
    )  # fmt: skip
    assert (reply["opens"], reply["environments"]) == (True, ["dev", "prod"])
    name = one["id"]
    await api.post("incidents", name, action="ack")
    await api.post("incidents", name, action="note", text="the source is late")
    assert (await post_refused(api, "incidents", name, action="note", text=" "))[0] == 400
    closed = await api.post("incidents", name, action="close", text="we live with it")
    assert [change["what"] for change in closed["changes"]] == ["opened", "acknowledged", "noted", "closed"]
    assert closed["incident"]["because"] == "we live with it"
    assert closed["incident"]["acks"][0]["by"] == closed["incident"]["closed_by"]
    assert (await api.get("incidents", name))["incident"] == closed["incident"]
    code, refusal = await post_refused(api, "incidents", name, action="close")
    assert (code, "was closed by" in refusal["message"]) == (400, True)
    assert (await api.refused("incidents", "abc"))[0] == 400
    assert (await api.refused("incidents", environment="prd"))[1]["hint"] == "did you mean 'prod'?"
    assert (await api.get("incidents", environment="prod"))["incidents"] == []


@pytest.mark.long
async def test_in_an_environment_all_is_about_that(api: Any, days: ProjectBuilder) -> None:
    settings = '[environments.prod.schedules.nightly]\npipeline = "days"\ncron = "0 2 * * *"\nzone = "UTC"\ninterval = "day"\n'
    days.file("stagebook.toml", SETTINGS + settings)
    here, there = {"pipeline": "days"}, {"pipeline": "days", "environment": "prod"}
    known = (await api.get("schedules"))["schedules"]
    assert [(one["name"], one["environment"]) for one in known] == [("daily", "dev"), ("nightly", "prod")]
    await api.post("schedules", action="pause", schedule="nightly", because="a test", **there)
    assert [one["paused"] for one in (await api.get("schedules"))["schedules"]] == [False, True]

    asked = {"start": "2026-01-01", "end": "2026-01-02", "every": "day", **there}
    plan = await api.post("backfills", "plan", **asked)
    assert (plan["count"], "--env=prod" in plan["command"]) == (2, True)
    done = await ended(api, await api.post("backfills", **asked))
    assert done["exit_code"] == 0, done
    assert (await api.get("backfills", **here))["backfills"] == []
    (one,) = (await api.get("backfills", **there))["backfills"]
    assert (one["done"], one["status"]) == (2, "completed")
    assert (await api.get("grid", **here))["runs"] == []
    grid = await api.get("grid", **there)
    assert [(run["interval"], run["parent"]) for run in grid["runs"]] == [
        ("2026-01-01", one["id"]), ("2026-01-02", one["id"]),
    ]  # fmt: skip
    calendar = await api.get("calendar", **there)
    assert (calendar["schedule"], calendar["zone"]) == ("nightly", "UTC")

    reply = await api.post("schedules", action="trigger", schedule="nightly", **there)
    assert (await ended(api, reply["process"]))["exit_code"] == 0
    latest = (await api.get("grid", limit=1, **there))["runs"][0]
    assert (latest["id"], latest["schedule"]) == (reply["run"], "nightly")
    assert (await api.get("grid/stage", environment="prod", run=reply["run"], stage="load"))["stage"][
        "status"
    ]


async def test_a_page_that_only_watches_keeps_no_server_alive(
    api: Any, days: ProjectBuilder, jp_serverapp: Any
) -> None:
    """On a hub a server without activity is ended. What pages ask again and again by themselves is none."""
    settings = jp_serverapp.web_app.settings
    await api.get("pipelines")
    before = settings["api_last_activity"]
    await api.get("schedules")
    await api.get("incidents")
    await api.get("incidents", "open")
    for route in ("grid", "calendar", "backfills"):
        await api.get(route, pipeline="days")
    assert settings["api_last_activity"] == before
    await api.post("schedules", action="pause", pipeline="days", schedule="daily")
    assert settings["api_last_activity"] > before
