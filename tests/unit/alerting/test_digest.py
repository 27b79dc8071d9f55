"""The digest of a week: about which week, once, to whom, and what it says."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeClock
from golden import Golden
from journals import alter
from measured import DAY, HOUR, NOW, WEEK, Did, History
from stagebook.alerting.deliver import Alerts, make_and_send
from stagebook.alerting.digest import digest_message
from stagebook.alerting.text import Where
from stagebook.errors import JournalUnreadable
from stagebook.events import Cause, Status
from stagebook.evidence import window_figures
from stagebook.indicators.facts import Window
from stagebook.journal.alert_table import StoredAlert
from stagebook.timing.zones import find_zone
from stagebook.workspace.notify_settings import NotifySettings
from stagebook.workspace.settings import Settings, TrackingSettings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def rule(**fields: object) -> NotifySettings:
    return NotifySettings(**{"to": ["json://localhost:1"], "digest": "weekly", "on": [], **fields})  # type: ignore[arg-type]


class Telling:
    """A history with rules, and a clock that stands still."""

    def __init__(self, root: Path) -> None:
        self.history = History(root)
        self.clock = FakeClock(NOW)
        self.rules = {"boss": rule()}

    def make(self, **by: float) -> list[StoredAlert]:
        """The alerts that are new after some time, each made by a process of its own."""
        self.clock.now += dt.timedelta(**by).total_seconds()
        before = {one.key for one in self.history.journal.alerts.latest(99)}
        settings = Settings(notify=self.rules, tracking=TrackingSettings(enabled=False))
        Alerts(self.history.root, self.history.journal, settings, "prod", clock=self.clock).make()
        return [one for one in self.history.journal.alerts.latest(99) if one.key not in before]


@pytest.fixture
def telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Telling]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = Telling(tmp_path)
    made.history.run("r", NOW - 8 * DAY)
    yield made
    made.history.close()


# -- about which week -------------------------------------------------------------------------


@given(
    st.floats(0, 4e9),
    st.sampled_from(DAYS),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/St_Johns"]),
)
def test_the_week_is_the_last_one_that_ended(now: float, day: str, clock: dt.time, zone: str) -> None:
    found = rule(digest=f"{day} {clock:%H:%M}", zone=zone).digest_week(now)
    assert found is not None
    start, end = found
    assert start < end <= now < end + WEEK + 2 * HOUR
    assert abs(end - start - WEEK) <= 2 * HOUR  # clocks may have changed
    local = dt.datetime.fromtimestamp(end, find_zone(zone))
    assert DAYS[local.weekday()] == day
    assert (
        f"{local:%H:%M}" == f"{clock:%H:%M}" or abs(end - start - WEEK) > 0
    )  # but where clocks leave the time out
    assert rule(digest=f"{day} {clock:%H:%M}", zone=zone).digest_week(end) == found


def test_weekly_is_monday_at_8() -> None:
    assert rule().digest_week(NOW) == (NOW - WEEK, NOW)
    assert rule().digest_week(NOW - 1) == (NOW - 2 * WEEK, NOW - WEEK)
    assert rule(digest="", on=["long"]).digest_week(NOW) is None


@pytest.mark.parametrize(
    "text", ["daily", "mon", "monday 08:00", "mon 8:00", "mon 24:00", "MON 08:00", "weekly "]
)
def test_what_is_no_time_of_the_week_is_refused(text: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="'digest' is weekly, or of the form fri 17:00"):
        rule(digest=text)


# -- once ---------------------------------------------------------------------------------------


def test_the_first_one_is_about_the_first_whole_week(telling: Telling) -> None:
    """The rule is seen on Monday at 8:01: the week that it has seen whole ends two Mondays later."""
    assert telling.make(minutes=1) == []
    assert telling.make(days=7) == []
    (one,) = telling.make(days=7)
    assert one.message["digest"]["until"] == NOW + 2 * WEEK
    assert (one.rule, one.state, one.made) == ("boss", "waiting", telling.clock.now)


def test_each_is_made_once_and_for_each_recipient(telling: Telling) -> None:
    telling.rules["boss"] = rule(to=["json://a:1", "json://b:1"])
    telling.make()
    first = telling.make(days=8)
    assert len({one.key for one in first}) == len(first) == 2
    assert telling.make() == telling.make(hours=1) == []
    assert len(telling.make(days=7)) == 2


def test_of_weeks_that_nobody_told_of_the_last_one_is(telling: Telling) -> None:
    telling.make()
    (one,) = telling.make(days=30)
    assert one.message["digest"]["until"] == NOW + 4 * WEEK


def test_a_rule_that_asks_for_another_time_begins_anew(telling: Telling) -> None:
    telling.make()
    telling.rules["boss"] = rule(digest="wed 08:00")
    assert telling.make(days=8) == []
    assert telling.make(days=2) == []
    (one,) = telling.make(days=7)
    assert one.message["digest"]["until"] == NOW + 2 * WEEK + 2 * DAY


def test_rules_are_about_their_environments_and_pipelines(telling: Telling) -> None:
    telling.rules = {
        "elsewhere": rule(environments=["ci"]),
        "flights": rule(pipelines=["fl*"]),
        "silent": rule(digest="", on=["long"]),
    }
    telling.make()
    telling.history.run("p", NOW + DAY)
    telling.history.run("f", NOW + DAY, pipeline="flights")
    (one,) = telling.make(days=8)
    assert one.rule == "flights"
    assert list(one.message["digest"]["pipelines"]) == ["flights"]


def test_it_keeps_quiet_hours(telling: Telling) -> None:
    telling.rules["boss"] = rule(quiet="07:00-10:00")
    telling.make()
    (one,) = telling.make(days=7, minutes=1)
    assert one.next == NOW + WEEK + 2 * HOUR


def test_a_killed_process_makes_it_again_and_not_twice(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alert and memory are written together: an error in between takes both back."""
    telling.make()
    table = telling.history.journal.digests
    with monkeypatch.context() as patch:
        patch.setattr(type(table), "_put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            telling.make(days=8)
    assert telling.history.journal.alerts.latest(9) == []
    assert len(telling.make()) == 1


def test_what_is_damaged_is_told(telling: Telling) -> None:
    telling.make()
    alter(telling.history.journal.path, "UPDATE digests SET since = 0")
    with pytest.raises(JournalUnreadable, match="the digests of the rule boss"):
        telling.make(days=8)


def test_a_journal_without_digests_has_no_table(telling: Telling) -> None:
    telling.rules = {"ops": rule(digest="", on=["long"])}
    telling.make()
    assert not telling.history.journal._db.read("SELECT 1 FROM sqlite_master WHERE name = 'digests'")


def test_what_was_made_is_not_due_again_and_nothing_before_it(telling: Telling) -> None:
    table, last, this = telling.history.journal.digests, (NOW - WEEK, NOW), (NOW, NOW + WEEK)
    assert not table.is_due("boss", "weekly UTC", last, NOW - WEEK)  # it is new
    assert table.is_due("boss", "weekly UTC", last, NOW)
    table.store("boss", last, [])
    assert not table.is_due("boss", "weekly UTC", last, NOW)
    assert table.is_due("boss", "weekly UTC", this, NOW + WEEK)
    table.store("boss", this, [])
    assert not table.is_due("boss", "weekly UTC", last, NOW + WEEK)  # the clock was set back


# -- what it says -------------------------------------------------------------------------------


def test_a_digest(telling: Telling, golden: Golden) -> None:
    """10 runs after 1 in the week before, one of which failed; its incident is open."""
    history = telling.history
    for day in range(7, 0, -1):
        history.scheduled(f"s{day}", NOW - day * DAY)
    history.run("bad", NOW - 2 * DAY, {"clean": Did(cause=Cause.EXCEPTION)}, status=Status.FAILED)
    history.run("q1", NOW - 3 * DAY, pipeline="q\nx")
    history.run("q2", NOW - 3 * DAY, pipeline="q\nx")
    history.run("old", NOW - 99 * DAY, pipeline="forgotten")
    week = (NOW - WEEK, NOW)
    figures = [
        one
        for one in window_figures(history.place, Window(start=week[0], end=week[1]))
        if one.pipeline != "forgotten"
    ]
    message = digest_message(
        figures, history.place.incidents(), week, Where(project="shop", environment="prod")
    )
    golden(f"{message['title']}\n\n{message['body']}")
    assert message["digest"]["pipelines"]["p"]["errors"] == {
        "value": 1 / 8, "before": 0.0, "unit": "ratio", "count": 8,
    }  # fmt: skip


def test_a_digest_of_a_week_in_which_nothing_ran(golden: Golden) -> None:
    message = digest_message([], [], (NOW - WEEK, NOW), Where(project="shop", environment="dev"))
    golden(f"{message['title']}\n\n{message['body']}")


def test_a_program_gets_it_as_json(telling: Telling) -> None:
    """Sent like any other alert, by the process that sends; and no more than once."""
    history = telling.history
    telling.clock.now = NOW
    got = history.root / "got.json"
    script = history.root / "tell.py"
    script.write_text(f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read() + '\\n')")
    told = rule(to=[], command=f"{sys.executable} {script}")
    settings = Settings(notify={"boss": told}, tracking=TrackingSettings(enabled=False))
    assert make_and_send(history.root, settings, "prod") == []  # it is new
    alter(history.journal.path, "DELETE FROM digests")
    known = history.journal.digests
    with history.journal._db.write():
        known._put("boss", "weekly UTC", 0.0, 0.0)
    (sent,) = make_and_send(history.root, settings, "prod")
    assert sent.trouble == ""
    assert make_and_send(history.root, settings, "prod") == []
    (line,) = got.read_text().splitlines()
    assert '"rule": "boss"' in line
    assert '"digest": {' in line
