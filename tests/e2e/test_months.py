"""A year of the flights that left New York, month by month, with a clock given to it: what is late, what fails and is mended, a
pause and the holes that it leaves, a month unlike the others; who is told of it, and the figures at the end."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from recipients import Post, post, text_of
from stagebook.alerting.deliver import opened
from stagebook.deploying import carry_out, prepare, release_now
from stagebook.evidence import Place, figures_of
from stagebook.project import Project
from stagebook.runs.backfill import BackfillRequest, State, plan_backfill
from stagebook.runs.backfilling import backfill
from stagebook.runs.request import RunRequest
from stagebook.scheduling.dispatcher import Dispatcher
from stagebook.scheduling.noting import Noting
from stagebook.scheduling.overview import find, set_paused
from stagebook.scheduling.places import Places
from stagebook.scheduling.starting import Ended, Start
from stagebook.system.files import write_whole
from stagebook.timing.reading import parse_interval
from stagebook.workspace.settings import Settings, read_settings

pytestmark = [pytest.mark.kernel, pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[2] / "examples/months"
ZONE = zoneinfo.ZoneInfo("America/New_York")
HOUR, DAY = 3_600.0, 86_400.0
UNKNOWN = (
    '         "speed"}  # since June'  # the line of the notebook that was added when the feed had changed
)


def moment(text: str) -> float:
    """A time in New York, in seconds since the epoch."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


def local(at: float) -> str:
    """The same the other way round."""
    return f"{dt.datetime.fromtimestamp(at, ZONE):%Y-%m-%d %H:%M}"


class Year:
    """The example as a project under git, with a clock that stands still unless the test moves it."""

    def __init__(self, root: Path, rules: Settings) -> None:
        self.root = root
        self.rules = rules
        self.filled: list[str] = []
        self.now = moment("2013-02-02 09:00")
        self.home = Project(root, clock=lambda: self.now)
        self.places = Places(root)
        self.noting = Noting(root, clock=self, steady=self)
        self.dispatcher: Dispatcher | None = None

    def __call__(self) -> float:
        return self.now

    # -- what people do -------------------------------------------------------------------------

    def commit(self, at: str, message: str) -> None:
        when = dt.datetime.fromisoformat(at).replace(tzinfo=ZONE).isoformat()
        dated = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", "add", "-A"], cwd=self.root, check=True)
        subprocess.run(["git", *who, "commit", "-q", "-m", message], cwd=self.root, check=True, env=dated)

    def deploy(self, at: str, because: str) -> None:
        self.now = moment(at)
        with self.home:
            carry_out(prepare(self.home, "prod", release_now(self.home)), because=because)
        self.tell()

    def pause(self, at: str, *, paused: bool = True) -> None:
        self.wait_until(at)
        set_paused(*find(self.places.all(), "monthly"), self.now, "ada", "the feed moves", paused=paused)

    def fill(self, at: str, first: str, last: str) -> list[str]:
        """Backfill months in prod; what was missing of them."""
        self.now = moment(at)
        year, start, end = int(first[:4]), int(first[5:]), int(last[5:])
        intervals = [parse_interval(f"{year}-{month:02}[{ZONE}]") for month in range(start, end + 1)]
        request = BackfillRequest(
            run=RunRequest(pipeline="months"), intervals=intervals, which=frozenset({State.MISSING})
        )
        with self.home.in_environment("prod") as project:
            plan = plan_backfill(project.preparer, request)
            backfill(project.preparer, project.launcher, plan)
        self.tell()
        return [one.interval.name for one in plan.chosen]

    # -- the scheduler --------------------------------------------------------------------------

    def scheduler_starts(self) -> None:
        self.dispatcher = Dispatcher(self, clock=self, steady=self, mark=lambda _one, _journal: "", jobs=2)

    def scheduler_is_killed(self) -> None:
        assert self.dispatcher is not None
        self.dispatcher.close()
        self.dispatcher = None

    def wait_until(self, at: str) -> None:
        """Let time go by: the scheduler, where one is there, looks each hour on the days around its firings, else twice a day."""
        end = moment(at)
        while self.now < end:
            step = HOUR if int(local(self.now)[8:10]) in {1, 2, 3} else DAY / 2
            self.now = min(end, (self.now // step + 1) * step)
            self.look()

    def look(self) -> None:
        if self.dispatcher is not None:
            self.dispatcher.look(self.places.all())
            self.dispatcher.look(self.places.all())  # which sees that a run has ended
            self.check_expectations()

    def check_expectations(self) -> None:
        """What the scheduler does each half minute, and any other cron may do as well."""
        for place in self.places.all():
            self.noting.look(place)
        self.tell()

    def tell(self) -> None:
        """Make and send alerts, as is done after each run: here with the clock of this year."""
        with (
            self.home.in_environment("prod") as project,
            opened(project.root, self.rules, "prod", clock=self) as alerts,
        ):
            alerts.make()
            alerts.send()

    # -- what starts runs: here and now ---------------------------------------------------------

    def start(self, start: Start) -> None:
        with self.home.in_environment(start.environment) as project:
            project.run(start.request)

    def is_alive(self, _run: str) -> bool:
        return False

    def ended(self, _run: str) -> Ended | None:
        return None

    def forget(self, run: str) -> None:
        pass


def edit(root: Path, old: str, new: str) -> None:
    path = root / "notebooks/days.ipynb"
    data = json.loads(path.read_text())
    for cell in data["cells"]:
        cell["source"] = "".join(cell["source"]).replace(old, new)
    write_whole(path, json.dumps(data, indent=1).encode())


@pytest.fixture(scope="module")
def mail() -> Iterator[Post]:
    with post() as made:
        yield made


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory, mail: Post) -> Year:
    """What happened from February 2013 to January 2014."""
    root = tmp_path_factory.mktemp("months") / "months"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".stagebook", "data", "ml*"))
    (root / ".gitignore").write_text(".stagebook/\ndata/\nenvironments/\n")
    # Whoever made alerts by the clock of the machine would find them years old: the rules are for this clock alone.
    told = ["failure", "recovery", "anomaly", "late", "paused", "deployment"]
    rules = tmp_path_factory.mktemp("rules")
    (rules / "stagebook.toml").write_text(f'[notify.ops]\nto = "{mail.url}"\non = {json.dumps(told)}\n')
    (root / "stagebook.toml").write_text("[tracking]\nenabled = false\n[environments.prod]\n")
    edit(root, UNKNOWN, "         }")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    year = Year(root, read_settings(rules))

    year.commit("2013-01-31 15:00", "Flights month by month")
    year.deploy("2013-02-02 09:00", "the first release")
    year.scheduler_starts()
    year.wait_until("2013-05-01 12:00")  # January to March

    year.scheduler_is_killed()
    year.wait_until("2013-05-02 09:30")  # April is late, as somebody else's cron finds
    year.check_expectations()
    year.wait_until("2013-05-02 11:30")
    year.scheduler_starts()
    year.look()
    year.wait_until("2013-07-02 12:00")  # May; June has a column that nobody knows

    edit(root, "         }", UNKNOWN)
    year.commit("2013-07-03 10:00", "The feed has a speed since June")
    year.deploy("2013-07-03 12:00", "June is wanted")

    year.pause("2013-08-01 12:00")
    year.pause("2013-11-03 12:00", paused=False)
    year.look()  # October; July, August and September are left out
    year.filled = year.fill("2013-11-04 09:00", "2013-01", "2013-10")
    year.wait_until("2014-01-03 12:00")  # November is unlike the others; December
    year.scheduler_is_killed()
    return year


def test_each_month_ran_when_it_was_due_or_could(year: Year) -> None:
    with year.home.in_environment("prod") as project:
        runs = [run for run in reversed(project.journal.runs.latest(limit=-1)) if run.kind == "run"]
        about = project.journal.intervals.of_runs([run.id for run in runs])
    came = [(about[run.id].name, about[run.id].schedule, str(run.status), local(run.started)) for run in runs]
    # A deployment runs the latest month; New York sets its clocks on 10 March and 3 November.
    assert [one for one in came if one[0] not in {"2013-07", "2013-08", "2013-09"}] == [
        ("2013-01", "", "completed", "2013-02-02 09:00"),
        ("2013-02", "monthly", "completed", "2013-03-02 06:00"),
        ("2013-03", "monthly", "completed", "2013-04-02 06:00"),
        ("2013-04", "monthly", "completed", "2013-05-02 11:30"),
        ("2013-05", "monthly", "completed", "2013-06-02 06:00"),
        ("2013-06", "monthly", "failed", "2013-07-02 06:00"),
        ("2013-06", "", "completed", "2013-07-03 12:00"),
        ("2013-10", "monthly", "completed", "2013-11-03 12:00"),
        ("2013-10", "", "completed", "2013-11-04 09:00"),  # again: it reads the two months before it
        ("2013-11", "monthly", "completed", "2013-12-02 06:00"),
        ("2013-12", "monthly", "completed", "2014-01-02 06:00"),
    ]


def test_the_holes_of_the_pause_are_filled_and_nothing_else(year: Year) -> None:
    assert year.filled == ["2013-07", "2013-08", "2013-09", "2013-10"]
    with year.home.in_environment("prod") as project:
        shown = project.environments.versions(project.environments.find("prod")).current()
    assert shown is not None
    assert [name for name in shown.datasets if name.startswith("months.days.thin[")] == [
        f"months.days.thin[2013-{month:02}]" for month in range(1, 13)
    ]


def test_people_are_told_once_of_each_thing(year: Year, mail: Post) -> None:
    del year
    subjects = [one.removesuffix(" (months, prod)") for one in mail.subjects]
    assert [re.sub(r"[0-9a-f]{10} by \w+", "… by …", one) for one in subjects] == [
        "! months/monthly is not as expected",
        "✓ months/monthly is as expected again",
        "✗ months.days failed",
        "! months/monthly is not as expected",
        "✓ deployment to prod: version 6, release … by …: June is wanted, and 1 more",
        "✓ months/monthly is as expected again",
        "! months/monthly is paused",
        "✓ months/monthly was resumed by ada: the feed moves",
        "! months.receive.flights is unusual, and 1 more",
        "✓ months.days.thin is well again",
    ]
    late, failed, unusual = (text_of(mail.mails[place]) for place in (0, 2, 8))
    assert "missing: no run has begun that was due at 2013-05-02 06:00 EDT" in late
    assert "error: AssertionError: the feed has columns that nobody knows: speed" in failed
    assert "since: 2013-07-02 10:00 UTC" in failed
    assert "last good: 2013-06-02 10:00 UTC" in failed
    # Thanksgiving was on the 28th: two days with less than 70 % of the flights of their weekday, and none in any other month.
    assert "rows 2, usually 0 to 0" in unusual


def test_figures_are_as_computed_by_hand(year: Year) -> None:
    with year.home.in_environment("prod") as project:
        place = Place(
            root=project.root, journal=project.journal, settings=project.settings, environment="prod"
        )
        (found,) = figures_of(place, days=365, until=year.now, weeks=0)
    figures = {one.name: one for one in found.indicators}
    weeks = 365 / 7
    # Eight by the schedule; two deployments and a backfill by hand.
    assert figures["runs"].parts == pytest.approx({"schedule": 8 / weeks, "hand": 3 / weeks})
    by_hand = {
        "automation": 8 / 11,
        "errors": 1 / 11,  # June
        "flaky": 0.0,
        "on_time": 6 / 8,  # April was late, June failed
        "landing_time_median": 30 * HOUR,  # from midnight to the second day at six
        # Of 30 h five times, 35.5 h (April), and 61 h (October: an hour came twice), at 0.9 · 6 = 5.4.
        "landing_time_p90": (35.5 + 0.4 * (61 - 35.5)) * HOUR,
        "changes_delivered": 2,
        "deployments": 2 / weeks,
        "change_failures": 0.0,
        "rework": 1 / 2,  # the second mended June
        "lead_time_median": (42 + 2) / 2 * HOUR,
        "lead_time_p90": (2 + 0.9 * 40) * HOUR,
        # February read the feed of the first release 29 days and 15 hours after its commit; October what the second one made of
        # June, 123 days and 3 hours after it.
        "first_use": (29 * DAY + 15 * HOUR + 123 * DAY + 3 * HOUR) / 2,
        # Late 2 h (April) and 27 h (June), failed 30 h, unusual 31 days; the pause is no breach.
        "restore_time": (27 + 30) / 2 * HOUR,
        "failures_noted": 0.0,
        "contract_coverage": 0.0,
        "deployment_recovery_time": None,
        "freshness": None,
    }
    assert {name: figures[name].value for name in by_hand} == pytest.approx(by_hand)
