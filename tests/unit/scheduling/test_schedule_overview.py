"""What is known of schedules, and what people do about them; as screens of 80 and of 120 columns."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from golden import Golden
from scheduled import NOW, Life, World
from stagebook.errors import Problem, UsageError
from stagebook.pipeline.model import Schedule
from stagebook.scheduling import overview
from stagebook.scheduling.places import Place, Scheduled
from stagebook.timing.times import CronTimes, EveryTimes
from stagebook.views import schedule_tables

DAILY = Schedule(
    name="daily",
    times=CronTimes("0 6 * * *", "Europe/Berlin"),
    zone="Europe/Berlin",
    interval="day",
    params={"days": 1},
)
OFTEN = Schedule(name="often", times=EveryTimes(600), catch_up="skip")
NEWS = Schedule(name="news", on=("orders.clean.silver",))
PAUSED = Schedule(name="rarely", times=CronTimes("0 0 1 1 *", "UTC"), paused=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def screen(*shown: RenderableType) -> str:
    """What a person sees in a narrow terminal and in a wide one."""
    screens = []
    for width in (80, 120):
        out = io.StringIO()
        console = Console(file=out, width=width, highlight=False, markup=False)
        for item in shown:
            console.print(item)
        screens.append("\n".join(line.rstrip() for line in out.getvalue().splitlines()))
    return "\n\n".join(screens)


def lived(world: World) -> list[Place]:
    """Places of which a scheduler took care for some days."""
    places = [
        world.place(DAILY, OFTEN, NEWS, PAUSED, pipeline="flights"),
        world.place(DAILY, pipeline="flights", environment="prod"),
    ]
    marks = itertools.chain(["{}"], itertools.repeat('{"orders.clean.silver": "2"}'))
    life = Life(world, mark=lambda _one: next(marks))
    for _ in range(4):
        life.look(*places)
        world.pass_time(3.0)
    world.pass_time(23 * 3600)
    for _ in range(14):
        life.look(*places)
        world.pass_time(3.0)
    return places


def test_all_schedules_are_shown_with_what_came_of_them(world: World, golden: Golden) -> None:
    places = lived(world)
    place, one = overview.find(places, "flights/often")
    overview.set_paused(place, one, world.now, "ann", "the source is down", paused=True)
    views = list(overview.views_of(places, world.now))
    shown = [schedule_tables.schedules(views, world.now), *schedule_tables.remarks(views)]
    found = overview.upcoming(views, world.now, 4)
    leaders = [schedule_tables.leader(who) for who in ("", "process 7 on here")]
    golden(screen(*shown, *leaders, schedule_tables.upcoming(found, world.now)))


def test_as_plain_data_it_says_the_same(world: World) -> None:
    views = {str(view.one): view.to_json() for view in overview.views_of(lived(world), world.now)}
    daily = views["flights/daily"]
    assert (daily["fires"], daily["catch_up"], daily["interval"], daily["params"]) == (
        "0 6 * * * (Europe/Berlin)",
        "latest",
        "day",
        {"days": 1},
    )
    assert daily["last"]["outcome"] == "completed"
    assert daily["last"]["interval"]["name"] == "2026-01-05"
    assert views["flights/rarely"]["paused"] is True
    assert views["flights/rarely"]["next"] is None
    assert views["flights/daily in prod"]["environment"] == "prod"
    assert views["flights/news"]["last"]["kind"] == "news"


def test_what_nobody_saw_yet_is_shown_too(world: World) -> None:
    (view,) = overview.views_of([world.place(DAILY)], NOW)
    assert (view.state, view.last, view.run, view.outcome) == (None, None, None, "")
    assert view.due == NOW + 21 * 3600
    assert not world.path("dev").exists(), "looking leaves nothing"


def test_a_schedule_is_found_by_its_name_where_that_is_the_only_one(world: World) -> None:
    places = [world.place(DAILY, OFTEN), world.place(DAILY, environment="prod")]
    assert str(overview.find(places, "often")[1]) == "p/often"
    assert str(overview.find(places, "daily", "prod")[1]) == "p/daily in prod"
    with pytest.raises(UsageError, match="several schedules are called 'daily'") as caught:
        overview.find(places, "daily")
    assert caught.value.hint.endswith("there are: p/daily, p/daily in prod")
    with pytest.raises(UsageError, match="no schedule 'p/dayly'") as caught:
        overview.find(places, "p/dayly")
    assert caught.value.hint == "did you mean 'p/daily'?"
    broken = Place(
        environment="dev", journal=world.path("dev"), problems={"p": (Problem(path="p.yaml", message="x"),)}
    )
    with pytest.raises(UsageError) as caught:
        overview.find([broken], "daily")
    assert caught.value.hint == "p.yaml has mistakes: stagebook check"


def test_one_is_triggered_once_at_a_time_and_about_the_latest_interval(world: World) -> None:
    place = world.place(DAILY)
    tick = overview.trigger(place, place.scheduled[0], world.now, "ann", "a test")
    assert tick.interval is not None
    assert (tick.kind, tick.interval.name, tick.reason) == ("manual", "2026-01-04", "triggered by ann")
    with pytest.raises(UsageError, match="p/daily runs, or is about to"):
        overview.trigger(place, place.scheduled[0], world.now, "ann", "")
    life = Life(world)
    life.look(place)
    world.pass_time(20)
    life.look(place)
    assert world.begun == [tick.run], "the scheduler starts it"
    assert overview.trigger(place, place.scheduled[0], world.now, "ann", "").run != tick.run


def test_one_that_nobody_saw_can_be_paused(world: World) -> None:
    place = world.place(OFTEN)
    overview.set_paused(place, place.scheduled[0], world.now, "ann", "", paused=True)
    life = Life(world)
    for _ in range(3):
        life.look(place)
        world.pass_time(700)
    assert world.processes == []
    (view,) = overview.views_of([place], world.now)
    assert view.paused
    assert view.said is not None
    assert view.said.by == "ann"


def test_who_did_it_first_stays_known(world: World) -> None:
    place = world.place(OFTEN, PAUSED)
    often, rarely = place.scheduled

    def said() -> str:
        (view, _) = overview.views_of([place], world.now)
        return "" if view.said is None else f"{view.said.action} {view.said.by}: {view.said.because}"

    def change(one: Scheduled, by: str, because: str = "", *, paused: bool = True) -> bool:
        return overview.set_paused(place, one, world.now, by, because, paused=paused)

    assert change(often, "ann", "the source is down")
    assert not change(often, "bob")
    assert said() == "pause ann: the source is down"
    assert change(often, "bob", "still down"), "who says more is heard"
    assert said() == "pause bob: still down"
    assert change(often, "bob", paused=False)
    assert not change(often, "ann", paused=False)
    assert not change(rarely, "ann"), "its file says so already"
    assert change(rarely, "ann", paused=False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (90, "08:01 UTC, in 1 min 30 s"), (86_400, "2026-01-06 08:00 UTC"), (-5, "now")],
)
def test_a_time_to_come_reads_so(seconds: float, text: str) -> None:
    assert schedule_tables.ahead(NOW + seconds, "UTC", NOW) == text


def test_lines_have_the_time_of_day() -> None:
    assert schedule_tables.line_of("p/daily: run r", NOW) == "08:00:00 p/daily: run r"


def test_who_paused_it_is_known_whatever_was_done_since(world: World) -> None:
    place = world.place(DAILY)
    one = place.scheduled[0]
    overview.set_paused(place, one, world.now, "ann", "the source is down", paused=True)
    overview.trigger(place, one, world.now + 60.0, "bob", "once more")
    (view,) = overview.views_of([place], world.now)
    assert view.said is not None
    assert (view.said.action, view.said.by) == ("trigger", "bob")
    assert view.turned is not None
    assert (view.turned.action, view.turned.by, view.turned.because) == ("pause", "ann", "the source is down")
    overview.set_paused(place, one, world.now + 120.0, "bob", "", paused=False)
    (view,) = overview.views_of([place], world.now)
    assert (view.paused, view.turned and view.turned.action) == (False, "resume")
