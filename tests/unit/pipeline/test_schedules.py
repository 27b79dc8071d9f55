"""Schedules of pipeline files and of environments: what they say, and every mistake at its place."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest

from building import ProjectBuilder, load
from stagebook.errors import PipelineInvalid
from stagebook.pipeline.model import Schedule, in_units
from stagebook.pipeline.schema import json_schema
from stagebook.project import Project
from stagebook.timing.times import CronTimes, EveryTimes
from stagebook.timing.zones import UTC

HEAD = "params: {days: 3, since: {type: date, default: 2026-01-01}}\nstages: {a: {notebook: n.ipynb}}\nschedules:\n"


def schedules(text: str) -> dict[str, Schedule]:
    loaded = load(HEAD + text)
    assert loaded.problems == ()
    return dict(loaded.pipeline.schedules)


def mistakes(text: str) -> list[str]:
    return [str(problem).partition("p.yaml:")[2] for problem in load(HEAD + text).problems]


def test_a_schedule_fires_in_one_of_four_ways() -> None:
    found = schedules("""\
  daily: {cron: "0  6 * * *", zone: Europe/Berlin, interval: day, catch_up: all, params: {days: 1}, env: prod}
  often: {every: 1h30m, pause: true}
  after: {on: [orders.clean.out, orders.load@x-1.out]}
  news: {files: "incoming:2026/*.csv", interval: month, zone: Europe/Berlin, env: dev}
""")
    daily = found["daily"]
    assert daily.times == CronTimes("0 6 * * *", "Europe/Berlin")
    assert (daily.interval, daily.catch_up, daily.params, daily.env) == ("day", "all", {"days": 1}, "prod")
    assert daily.place == "pipelines/p.yaml:4"
    assert found["often"].times == EveryTimes(5400, "UTC")
    assert (found["often"].paused, found["often"].catch_up, found["often"].env) == (True, "latest", "")
    assert found["after"].on == ("orders.clean.out", "orders.load@x-1.out")
    assert (found["news"].files, found["news"].zone, found["news"].env) == (
        "incoming:2026/*.csv",
        "Europe/Berlin",
        "",
    )
    assert [str(one) for one in found.values()] == [
        "0 6 * * * (Europe/Berlin)",
        "every 1h30m",
        "on orders.clean.out, orders.load@x-1.out",
        "files incoming:2026/*.csv",
    ]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('{cron: "0 6 * * *"}', "a cron text says nothing without a time zone",
         "name the time zone: zone: Europe/Berlin, or zone: UTC"),
        ('{cron: "0 0 30 2 *", zone: UTC}', "'0 0 30 2 *' never fires: no day fits it",
         "months have at most 31, 30 or 29 days"),
        ('{cron: "0 6 * * *", zone: Europe/Berlim}', "there is no time zone 'Europe/Berlim'", "did you mean 'Europe/Berlin'?"),
        ("{every: 0.5s}", "'every' has to be whole seconds, 1s at least", "such as every: 15m"),
        ("{every: soon}", "'every': expected a duration such as 90, 45s, 30m or 1h30m, got 'soon' (str)", ""),
        ("{every: 1h, on: x.y.z}", "a schedule fires in one way, and this one has every and on", "make two schedules of it"),
        ("{on: x.y.z, catch_up: all}", "'catch_up' is for cron and every, and this schedule has 'on'",
         "remove it: what is new fires once, however long nobody looked"),
        ("{on: [clean]}", "'clean' is not the name of a dataset", "write pipeline.stage.output, of another pipeline"),
        ("{files: data/*.csv}", "'data/*.csv' is no pattern behind a connection",
         "write CONNECTION:path/*.csv, with a connection of the project"),
        ("{every: 1h, intervall: day}", "unknown key 'intervall'", "did you mean 'interval'?"),
        ("{every: 1h, interval: decade}", "'interval' is hour, day, week, month or year, not 'decade' (str)", ""),
        ("{every: 1h, params: {day: 3}}", "unknown parameter 'day'", "did you mean 'days'?"),
        ("{every: 1h, params: {days: many}}", "'days' does not fit: expected int, got 'many' (str)", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(text: str, message: str, hint: str) -> None:
    (found,) = load(f"{HEAD}  one: {text}\n").problems
    assert (found.message, found.hint, found.line) == (message, hint, 4)
    assert found.column > 8, "within the schedule"


def test_one_mistake_hides_no_other() -> None:
    assert len(mistakes("  one: {}\n  two: []\n  '3': {every: 1h, catch_up: never}\n")) == 4
    assert mistakes("  one: {}\n")[0].startswith("4:3: the schedule does not say when it fires")


def test_two_of_one_name_in_a_file_are_told() -> None:
    (found,) = mistakes("  one: {every: 1h}\n  one: {every: 2h}\n")
    assert "'one'" in found


def test_an_editor_knows_the_keys() -> None:
    schema = json_schema()
    kinds = schema["properties"]["schedules"]["anyOf"]
    assert kinds[0]["additionalProperties"] == {"$ref": "#/$defs/ScheduleFile"}
    assert set(schema["$defs"]["ScheduleFile"]["properties"]) >= {"cron", "zone", "every", "on", "files"}
    names = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert names == set(schema["$defs"]), "each reference leads to something that is there"


@pytest.mark.parametrize(("seconds", "text"), [(1, "1s"), (90, "1m30s"), (86400, "1d"), (7200, "2h")])
def test_durations_read_as_they_are_written(seconds: int, text: str) -> None:
    assert in_units(seconds) == text


def test_an_environment_has_schedules_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "stagebook.toml").write_text("""
[environments.prod.schedules.nightly]
pipeline = "p"
cron = "0 2 * * *"
zone = "UTC"
params = {days = 1}
[environments.test]
inherits = "prod"
""")
    found = Project.open(tmp_path).environments.all()
    schedule = found["prod"].schedules["p"]["nightly"]
    assert (schedule.times, schedule.env) == (CronTimes("0 2 * * *", "UTC"), "prod")
    assert schedule.place == "stagebook.toml [environments.prod.schedules.nightly]"
    assert found["test"].schedules == {}, "they are not inherited: nothing would be run twice by surprise"


def test_mistakes_of_an_environment_name_its_section(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "stagebook.toml").write_text("""
[environments.prod.schedules]
one = {every = "1h"}
two = {pipeline = "p", cron = "0 6 * * *"}
three = {pipeline = "p", every = "1h", env = "test"}
""")
    with pytest.raises(PipelineInvalid) as caught:
        Project.open(tmp_path).environments.all()
    assert sorted(problem.message for problem in caught.value.problems) == [
        "[environments.prod.schedules.one]: it does not say of which pipeline it is",
        "[environments.prod.schedules.three] env: the environment is the one that it stands in",
        "[environments.prod.schedules.two] cron: a cron text says nothing without a time zone",
    ]


SCHEDULED = """
params: {days: 3}
schedules:
  daily: {cron: "0 6 * * *", zone: Europe/Berlin, interval: day, params: {days: 1}}
  monthly: {cron: "0 6 1 * *", zone: UTC}
stages:
  a: {notebook: notebooks/a.ipynb, params: {start: "${interval.start}", n: "${params.days}"}}
"""


def test_a_run_is_about_the_latest_interval_of_the_schedule(builder: ProjectBuilder) -> None:
    builder.notebook("a", params="start: str = ''\nn = 0")
    builder.pipeline(SCHEDULED)
    # 2026-01-05, half past five in Berlin: the run of the fourth was at six, about the third.
    at = 1767587400.0
    project = Project(builder.root, clock=lambda: at)
    plan = project.plan("p")
    assert plan.interval is not None
    assert str(plan.interval) == "2026-01-03..2026-01-04[Europe/Berlin]"
    assert plan.stage("a").params == {"start": "2026-01-03", "n": 3}
    named = project.plan("p", schedule="daily")
    assert named.stage("a").params == {"start": "2026-01-03", "n": 1}
    monthly = project.plan("p", schedule="monthly", values={"days": 9}).interval
    assert monthly is not None
    assert monthly.end.astimezone(UTC).isoformat() == "2026-01-01T06:00:00+00:00"
    labelled = project.plan("p", schedule="monthly", interval="2025-12-01T0600").interval
    assert labelled == monthly
    project.close()


def test_a_connection_of_a_schedule_has_to_be_there(builder: ProjectBuilder) -> None:
    builder.notebook("a", "1")
    builder.file("connections.toml", '[incoming]\nurl = "data"\n')
    text = "schedules: {x: {files: 'incomming:*.csv'}}\nstages: {a: {notebook: notebooks/a.ipynb}}"
    assert builder.screen(text) == (
        "pipelines/p.yaml:1:17: there is no connection 'incomming'\n    did you mean 'incoming'?"
    )


def test_what_is_expected_of_its_runs() -> None:
    found = schedules("""\
  all:
    every: 1d
    expect: {end_by: "06:00", start_within: 10m, duration: 2 x usual, fresh: 26h, rows: usual}
  some: {every: 1d, expect: {duration: 90m}}
  none: {every: 1d}
""")
    expected = found["all"].expect
    assert expected is not None
    assert (expected.end_by, expected.start_within) == (dt.time(6), 600.0)
    assert (expected.usual, expected.duration, expected.fresh, expected.rows) == (2.0, None, 93_600.0, True)
    some = found["some"].expect
    assert some is not None
    assert (some.duration, some.usual, some.rows) == (5_400.0, None, False)
    assert found["none"].expect is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{end_by: 6am}", "'end_by': expected a time of day such as 06:00, got '6am'"),
        ("{duration: long}", "'duration': expected a duration such as 90"),
        ("{start_within: -1}", "'start_within': expected a duration"),
        ("{rows: many}", "'rows' is usual, not "),
        ("{freshness: 1h}", "unknown key 'freshness'"),
        ("soon", "has to be a mapping"),
    ],
)
def test_an_expectation_that_is_none_is_told_at_its_place(text: str, message: str) -> None:
    (found,) = mistakes(f"  a: {{every: 1d, expect: {text}}}\n")
    assert found.startswith("4:")
    assert message in found
