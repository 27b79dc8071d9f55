"""Indicators of a history whose right values are computed by hand: events in a journal, commits in a repository, releases."""

from __future__ import annotations

import pytest

from journals import alter
from measured import DAY, HOUR, NOW, WEEK, Did, History, Repository, audit, check
from stagebook.audits import Outcome, Severity
from stagebook.errors import UsageError
from stagebook.events import Cause, IncidentMarked, Status
from stagebook.evidence import figures_of
from stagebook.incidents.incident import Change, Incident, Kind, What
from stagebook.indicators.indicator import Indicator
from stagebook.indicators.report import FIGURES


def figures(history: History, pipeline: str = "p", **more: float) -> dict[str, Indicator]:
    """The figures of a pipeline, over 28 days up to now."""
    asked = {"days": 28, "weeks": 0, "until": NOW, **more}
    (found,) = figures_of(history.place, pipeline=pipeline, **asked)  # type: ignore[arg-type]
    return {one.name: one for one in found.indicators}


def told(found: dict[str, Indicator], name: str) -> tuple[float | None, int, int]:
    """The value of an indicator, what it stands on, and how much is left out."""
    one = found[name]
    return one.value, one.count, one.left_out


FAILED = Did(cause=Cause.EXCEPTION)


def test_what_stands_on_nothing_is_none(history: History) -> None:
    history.run("r", NOW - 300 * DAY)
    found = figures(history)
    assert {name: one.value for name, one in found.items()} == {figure.name: None for figure in FIGURES}
    assert {one.count for one in found.values()} == {0}
    assert all(one.nothing for one in found.values())


def test_a_pipeline_that_never_ran_is_told(history: History) -> None:
    history.run("r", NOW - DAY, pipeline="flights")
    with pytest.raises(UsageError, match="no run of a pipeline 'flihgts' is known in prod") as caught:
        figures(history, "flihgts")
    assert "flights" in caught.value.hint


def test_runs_by_what_had_them_begin(history: History) -> None:
    """8 runs in 4 weeks: 3 of a schedule, 5 by hand; the points of a sweep are no runs, nor is what a person states."""
    for day in (3, 2, 1):
        history.scheduled(f"s{day}", NOW - day * DAY)
    for number in range(4):
        history.run(f"h{number}", NOW - 10 * DAY)
    history.run("sweep", NOW - 9 * DAY, kind="sweep")
    history.run("point", NOW - 9 * DAY, parent="sweep")
    history.run("accept", NOW - 9 * DAY, kind="accept")
    history.run("earlier", NOW - 29 * DAY)
    found = figures(history)
    assert told(found, "runs") == (2.0, 8, 0)
    assert found["runs"].parts == {"schedule": 0.75, "hand": 1.25}
    assert found["runs"].trend.before == 0.25
    assert told(found, "automation") == (3 / 8, 8, 0)


def test_a_firing_that_a_person_asked_for_is_by_hand(history: History) -> None:
    history.scheduled("s", NOW - DAY)
    alter(history.journal.path, "UPDATE ticks SET kind = 'manual'")
    history.run("news", NOW - DAY, schedule="on_orders")
    assert figures(history)["runs"].parts == {"hand": 0.25, "schedule": 0.25}
    alter(history.journal.path, "UPDATE ticks SET kind = 'news'")
    assert figures(history)["runs"].parts == {"data": 0.25, "schedule": 0.25}


def test_errors_of_runs_that_finished(history: History) -> None:
    """1 of 4; one goes on, and of one the process vanished."""
    statuses = [Status.COMPLETED, Status.COMPLETED, Status.CANCELLED, Status.FAILED, Status.INTERRUPTED, None]
    for number, status in enumerate(statuses):
        history.run(f"r{number}", NOW - DAY, status=status)
    assert told(figures(history), "errors") == (0.25, 4, 1)


def test_a_run_counts_in_the_window_in_which_it_ended(history: History) -> None:
    history.run("r", NOW - 29 * DAY, status=Status.FAILED, took=2 * DAY)
    found = figures(history)
    assert told(found, "errors") == (1.0, 1, 0)
    assert found["runs"].value is None
    assert found["runs"].trend.before == 0.25


def test_notes_on_failures(history: History) -> None:
    """Of 3 failed runs 2 have one: after 1 h, and after 3 h by a mark on the incident. A note on a run that did well is none."""
    ended = NOW - 2 * DAY
    for name in ("r1", "r2", "r3"):
        history.run(name, ended - 600, {"clean": FAILED}, status=Status.FAILED)
    history.run("good", ended)
    history.note("r1", ended + HOUR)
    history.note("r1", ended + 9 * HOUR)
    history.note("good", ended + HOUR)
    mark = IncidentMarked(run="r2", at=ended + 3 * HOUR, incident="1234567", action="ack", by="ada")
    close = IncidentMarked(run="r3", at=ended + 3 * HOUR, incident="1234567", action="close", by="ada")
    history.journal.append([mark, close])
    found = figures(history)
    assert told(found, "failures_noted") == (2 / 3, 3, 0)
    assert told(found, "note_time") == (2 * HOUR, 2, 0)


def test_time_saved_by_reuse_is_that_of_the_attempts(history: History) -> None:
    """Twice 100 s, once 40 s; of one nobody knows."""
    history.run("r1", NOW - 3 * DAY, {"load": Did(seconds=100), "clean": Did(seconds=40)})
    events = [
        (number, event) for number, event in history.journal.events.of("r1") if hasattr(event, "seconds")
    ]
    load, clean = (number for number, _ in events)
    history.run("r2", NOW - 2 * DAY, {"load": Did(reused=load), "clean": Did(reused=clean)})
    history.run("r3", NOW - DAY, {"load": Did(reused=load), "clean": Did(reused=999_999)})
    assert told(figures(history), "reuse_saved") == (240.0, 3, 1)


def test_coverage_is_that_of_the_last_results(history: History) -> None:
    """`clean.rows` has a check now; `load.rows` had one, and `train.rows`, of two instances, has none."""
    covered = {"rows": audit(check())}
    history.run("r1", NOW - 3 * DAY, {"load": Did(audits=covered), "clean": Did()})
    history.run(
        "r2", NOW - 2 * DAY, {"load": Did(), "clean": Did(audits=covered), "train@1": Did(), "train@2": Did()}
    )
    assert told(figures(history), "contract_coverage") == (1 / 3, 3, 0)


def test_a_stage_that_failed_makes_no_dataset_unknown(history: History) -> None:
    """The contract of `clean.rows` stopped it; `load` failed for another reason, and its last result has no check."""
    history.run("r1", NOW - 3 * DAY, {"load": Did(), "clean": Did()})
    stopped = Did(cause=Cause.CONTRACT, audits={"rows": audit(check(outcome=Outcome.BROKEN))})
    history.run("r2", NOW - 2 * DAY, {"load": FAILED, "clean": stopped}, status=Status.FAILED)
    history.run("r3", NOW - DAY, {"clean": FAILED}, status=Status.FAILED)
    assert told(figures(history), "contract_coverage") == (1 / 2, 2, 0)


def test_checks_rows_and_second_attempts(history: History) -> None:
    """Checks: 2 of 5 failed. Rows: 10 of 200 rejected. Stages: 1 of 4 completed after its first attempt. What was audited earlier,
    and comes with a result that is taken again, is not audited twice."""
    quarantined = audit(
        check(Severity.QUARANTINE, Outcome.BROKEN, 10), check(Severity.WARN, Outcome.BROKEN, 1), rejected=10
    )
    failed = audit(check(), check(Severity.LOG, Outcome.BROKEN, 3), check(Severity.WARN, Outcome.ERROR, None))
    history.run("r1", NOW - 3 * DAY, {"load": Did(attempt=2), "clean": Did(audits={"rows": quarantined})})
    history.run(
        "r2", NOW - 2 * DAY, {"load": Did(), "clean": Did(cause=Cause.CONTRACT, audits={"rows": failed})}
    )
    history.run("r3", NOW - DAY, {"load": Did(), "clean": Did(reused=3, audits={"rows": quarantined})})
    history.run("sweep", NOW - DAY, kind="sweep")
    history.run("point", NOW - DAY, {"load": Did(attempt=3)}, parent="sweep")
    found = figures(history)
    assert told(found, "check_failures") == (2 / 5, 5, 0)
    assert told(found, "rejected_rows") == (10 / 200, 200, 0)
    assert told(found, "flaky") == (1 / 4, 4, 0)


def test_the_runs_of_a_backfill_count_in_figures_of_stages(history: History) -> None:
    history.run("fill", NOW - DAY, kind="backfill")
    history.run("part", NOW - DAY, {"load": Did(attempt=2)}, parent="fill")
    found = figures(history)
    assert told(found, "flaky") == (1.0, 1, 0)
    assert told(found, "runs") == (0.25, 1, 0)


def test_the_quality_of_columns_by_the_last_audits(history: History) -> None:
    """x: (1 - 1 * 0.1) * (1 - 0.5 * 0.2) = 0.81; y: 1, since its drift holds; z: 0, since it is too old. 200 rows of 0.81 each."""
    old = audit(check(Severity.FAIL, Outcome.BROKEN, 100))
    checks = (
        check(Severity.FAIL, Outcome.BROKEN, 10),
        check(Severity.WARN, Outcome.PASSED, 20),  # so many may break it
        check(Severity.FAIL, Outcome.PASSED, 0.3, ("y",)),
    )
    history.run("r1", NOW - 3 * DAY, {"clean": Did(audits={"rows": old})})
    history.run("r2", NOW - 2 * DAY, {"clean": Did(audits={"rows": audit(*checks)})})
    (found,) = figures_of(history.place, days=28, until=NOW)
    (score,) = found.datasets
    assert score.columns == pytest.approx({"x": 0.81, "y": 1.0})
    assert (score.dataset, score.score, score.rows) == ("clean.rows", pytest.approx(0.905), 100)
    aged = audit(check(Severity.FAIL, Outcome.BROKEN, 99.5, ("z",)), rows=300)
    history.run("r3", NOW - DAY, {"load": Did(audits={"rows": aged})})
    (found,) = figures_of(history.place, days=28, until=NOW)
    assert found.find("quality").parts == {"load.rows": 0.0, "clean.rows": pytest.approx(0.905)}
    assert found.find("quality").value == pytest.approx((100 * 0.905 + 300 * 0.0) / 400)


def test_landing_time_is_of_the_first_run_that_completed(history: History) -> None:
    """600 s and 3,600 s after the ends of their days; a second run about the same day is none, nor is one by hand, nor a
    firing that a person asked for."""
    history.scheduled("a", NOW - 3 * DAY)
    history.scheduled("b", NOW - 2 * DAY, took=HOUR)
    again = next(event for _, event in history.journal.events.of("b"))
    history.run("c", NOW - DAY, schedule="daily", interval=again.interval)  # type: ignore[attr-defined]
    history.run("d", NOW - DAY, interval=again.interval)  # type: ignore[attr-defined]
    history.scheduled("e", NOW - 5 * DAY, took=9 * HOUR)
    alter(history.journal.path, "UPDATE ticks SET kind = 'manual' WHERE run = 'e'")
    found = figures(history)
    assert told(found, "landing_time_median") == (2100.0, 2, 0)
    assert told(found, "landing_time_p90") == (pytest.approx(600 + 0.9 * 3000), 2, 0)


def test_freshness_is_the_time_in_which_the_last_run_was_young_enough(history: History) -> None:
    """Fresh for 2 days each: of 28 days the ends 3 days before the window, and 10, 9 and 1 days ago, make 0 + (1 + 2) + 1 = 4."""
    (history.root / "pipelines").mkdir()
    (history.root / "pipelines" / "p.yaml").write_text(
        "schedules:\n  daily: {cron: '0 8 * * *', zone: UTC, env: prod, expect: {fresh: 2d}}\n"
        "  other: {every: 1d, expect: {fresh: 1h}}\n"
        "stages: {}\n"
    )
    for number, days in enumerate((31, 10, 9, 1)):
        history.run(f"r{number}", NOW - days * DAY, took=0)
    history.run("bad", NOW - 5 * DAY, took=0, status=Status.FAILED)
    assert told(figures(history), "freshness") == (pytest.approx(4 / 28), 4, 0)
    # Without an end before the window, time begins with the first one.
    assert figures(history, days=35)["freshness"].value == pytest.approx(6 / 31)


def test_firings_that_were_late_or_missing(history: History) -> None:
    """10 firings: 1 was missed, and 1 is late, which is seen twice. What was missed while it was paused was not expected."""
    for day in range(9):
        history.scheduled(f"s{day}", NOW - (20 - day) * DAY)
    history.tick(NOW - 5 * DAY)
    history.pause(NOW - 8 * DAY, NOW - 6 * DAY, again=NOW - 7 * DAY)
    history.pause(NOW - 4 * DAY, NOW - 2 * DAY)
    history.tick(NOW - 3 * DAY)
    late(history, "s3", NOW - 17 * DAY + HOUR, NOW - 17 * DAY + 2 * HOUR)
    assert told(figures(history), "on_time") == (pytest.approx(0.8), 10, 0)
    # What is late counts where it was due, and not where that was seen.
    assert told(figures(history, days=16.99), "on_time") == (pytest.approx(5 / 6), 6, 0)


def test_what_is_late_of_one_schedule_says_nothing_of_another(history: History) -> None:
    """Of `daily` the latter of two firings is late, though one of `other` came between; `third` never fired, and is late."""
    history.scheduled("a", NOW - 5 * DAY)
    history.scheduled("b", NOW - 4 * DAY)
    for hours in (2, 3):
        history.scheduled(f"o{hours}", NOW - 4 * DAY + hours * HOUR, schedule="other")
    late(history, "b", NOW - 4 * DAY + 4 * HOUR)
    assert told(figures(history), "on_time") == (0.75, 4, 0)
    assert told(figures(history, days=4.01), "on_time") == (pytest.approx(2 / 3), 3, 0)
    late(history, "b", NOW - 3 * DAY, schedule="third")
    assert told(figures(history), "on_time") == (pytest.approx(3 / 5), 5, 0)


def test_intervals_of_two_schedules_that_end_together_land_apart(history: History) -> None:
    history.scheduled("a", NOW - 3 * DAY)
    history.scheduled("o", NOW - 3 * DAY, took=HOUR, schedule="other")
    assert told(figures(history), "landing_time_median") == (2100.0, 2, 0)


def late(history: History, run: str, *at: float, schedule: str = "daily") -> None:
    """An incident of the kind `late`, as it comes out of the journal; for the events of schedules are of others."""
    one = Incident(
        id=f"of {schedule}", pipeline="p", kind=Kind.LATE, subject=schedule, stage="", run=run, opened=at[0],
        last_run=run, last_seen=at[-1],
    )  # fmt: skip
    changes = [
        Change(
            number=place + 1 + 10 * (schedule != "daily"),
            at=moment,
            incident=one.id,
            run=run,
            what=What.AGAIN if place else What.OPENED,
        )
        for place, moment in enumerate(at)
    ]
    history.journal.incidents.look(opens=True)
    with history.journal._db.write():
        history.journal.incidents._save([one], changes, history.journal.events.last_number())


def test_lead_times_from_commit_to_production(history: History, repository: Repository) -> None:
    """1 h, 3 h and 10 h. Left out: a commit that git does not know, one that is later than its deployment, a release with changes
    that are not committed, and one without a commit. The same commit once more delivers nothing new."""
    commits = []
    for number, hours in enumerate((1, 3, 10)):
        at = NOW - (20 - number) * DAY
        commits.append(repository.commit(at - hours * HOUR))
        history.deploy(at, commits[-1])
    history.deploy(NOW - 10 * DAY, commits[0])
    history.deploy(NOW - 9 * DAY, "ab" * 20)
    history.deploy(NOW - 8 * DAY, repository.commit(NOW))
    history.deploy(NOW - 7 * DAY, repository.commit(NOW - 30 * DAY), changed=("notebooks/a.ipynb",))
    history.deploy(NOW - 6 * DAY, "")
    found = figures(history)
    assert told(found, "lead_time_median") == (3 * HOUR, 3, 4)
    assert told(found, "lead_time_p90") == (pytest.approx((3 + 0.8 * 7) * HOUR), 3, 4)
    assert told(found, "changes_delivered") == (6.0, 7, 1)
    assert told(found, "deployments") == (2.0, 8, 0)
    assert "git does not know" in found["lead_time_median"].why_left_out


def test_first_use_is_by_another_stage_of_a_later_run(history: History, repository: Repository) -> None:
    """Committed 2 h before the deployment; the first that reads what is new is `report` of another pipeline, 5 h after it."""
    at = NOW - 10 * DAY
    history.deploy(at - DAY, repository.commit(at - 2 * DAY), stages={"clean": Did(content="aa")})
    read = Did(content="cc", reads=["bb"])  # in the run of the deployment itself: nobody sees it yet
    stages = {"load": Did(content="aa"), "clean": Did(content="bb"), "summarise": read}
    history.deploy(at, repository.commit(at - 2 * HOUR), stages=stages)
    history.run("own", at + HOUR, {"clean": Did(reads=["bb"])}, took=0)  # the stage that made it
    history.run("old", at + 2 * HOUR, {"report": Did(reads=["aa"])}, took=0, pipeline="q")
    history.run("new", at + 5 * HOUR, {"report": Did(reads=["bb"])}, took=0, pipeline="q")
    history.run("later", at + 9 * HOUR, {"report": Did(reads=["bb"])}, took=0, pipeline="q")
    found = figures(history)["first_use"]
    first = DAY + DAY + 2 * HOUR  # of the deployment before: read 2 h after the second one
    assert (found.value, found.count, found.left_out) == ((first + 7 * HOUR) / 2, 2, 0)


def test_deployments_that_needed_intervention(history: History) -> None:
    """4 deployments: the 1st is rolled back after 2 h; under the 2nd something fails, and is well 5 h after it; under the 3rd it
    fails after 2 days; under the 4th it fails, and is not well yet. Of 5 versions 1 is rework, the rollback."""
    at = NOW - 20 * DAY
    history.deploy(at, "aa")
    history.deploy(at + 2 * HOUR, "00", kind="rollback")
    history.deploy(at + 2 * DAY, "bb")
    history.run("f1", at + 2 * DAY + HOUR, {"clean": FAILED}, status=Status.FAILED, took=0)
    history.run("g1", at + 2 * DAY + 5 * HOUR, {"clean": Did()}, took=0)
    history.deploy(at + 5 * DAY, "cc")
    history.run("f2", at + 7 * DAY, {"clean": FAILED}, status=Status.FAILED, took=0)
    history.run("g2", at + 7 * DAY + 3 * HOUR, {"clean": Did()}, took=0)
    history.deploy(at + 10 * DAY, "dd")
    history.run("f3", at + 10 * DAY + HOUR, {"clean": FAILED}, status=Status.FAILED, took=0)
    found = figures(history)
    assert told(found, "change_failures") == (3 / 4, 4, 0)
    assert told(found, "deployment_recovery_time") == (3.5 * HOUR, 2, 1)
    assert told(found, "rework") == (1 / 5, 5, 0)
    assert told(found, "restore_time") == (3 * HOUR, 1, 0)  # f2 alone: the others are of deployments


def test_a_deployment_that_mends_is_rework(history: History) -> None:
    """Its own run closes the incident, before its version is shown."""
    at = NOW - 20 * DAY
    history.deploy(at, "aa")
    history.run("f1", at + 3 * DAY, {"clean": FAILED}, status=Status.FAILED, took=0)
    history.deploy(at + 4 * DAY, "bb", stages={"clean": Did()})
    history.deploy(at + 5 * DAY, "cc", stages={"clean": Did()})
    assert told(figures(history), "rework") == (1 / 3, 3, 0)


def test_a_deployment_that_did_not_come_off_is_no_failure_of_the_one_before(history: History) -> None:
    """Its run executes another release than the one that readers see."""
    history.deploy(NOW - 5 * DAY, "aa")
    history.run("f", NOW - 5 * DAY + HOUR, {"clean": FAILED}, status=Status.FAILED, took=0, release="another")
    assert told(figures(history), "change_failures") == (0.0, 1, 0)


def test_the_trend_is_the_same_figure_before_and_each_week(history: History) -> None:
    """1 run a week in the 4 weeks before, 2 in each of the last 4."""
    for week in range(8):
        for number in range(2 if week < 4 else 1):
            history.run(f"r{week}{number}", NOW - (week + 0.5) * WEEK)
    found = figures(history, weeks=8)["runs"]
    assert (found.value, found.trend.before) == (2.0, 1.0)
    assert [point.value for point in found.trend.points] == [1.0] * 4 + [2.0] * 4
    assert (found.trend.points[0].start, found.trend.points[-1].end) == (NOW - 8 * WEEK, NOW)


def test_each_pipeline_is_apart(history: History) -> None:
    history.run("a", NOW - DAY, status=Status.FAILED)
    history.run("b", NOW - DAY, pipeline="q")
    found = {one.pipeline: one.find("errors").value for one in figures_of(history.place, until=NOW)}
    assert found == {"p": 1.0, "q": 0.0}


def test_a_damaged_event_says_nothing(history: History) -> None:
    history.run("r1", NOW - DAY, {"load": Did(), "clean": Did(attempt=2)})
    assert told(figures(history), "flaky") == (0.5, 2, 0)
    alter(history.journal.path, "UPDATE events SET data = '{' WHERE type = 'AttemptEnded' AND stage = 'load'")
    assert told(figures(history), "flaky") == (1.0, 1, 0)
