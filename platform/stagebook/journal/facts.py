"""The plain facts of a journal for indicators: read once for a stretch of time, each kind by one query that looks at the few
values it needs. Plans, whose texts are long, are never read.

An event that is damaged says nothing here; `doctor` tells of it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stagebook.audits import Outcome, Severity
from stagebook.incidents.incident import Incident, Kind, What
from stagebook.indicators.facts import (
    FactAudit,
    FactCheck,
    FactDeployment,
    FactFiring,
    FactIncident,
    FactLate,
    FactNote,
    FactRun,
    Facts,
    FactStage,
    Trigger,
)
from stagebook.journal.database import Database, has_table
from stagebook.journal.incident_table import IncidentTable
from stagebook.statuses import Status

_KINDS = "('run', 'sweep', 'backfill')"  # what somebody asked for; the others note what a person did
# Runs of which stages count: points of sweeps are experiments.
_STAGED = """SELECT r.id FROM runs r LEFT JOIN runs p ON p.id = r.parent
WHERE r.kind = 'run' AND (r.parent = '' OR p.kind = 'backfill')"""
_RUNS = f"""SELECT id, pipeline, status, started, ended FROM runs WHERE parent = '' AND kind IN {_KINDS}
AND (started >= ?1 OR ended IS NULL OR ended >= ?1 OR id IN (
    SELECT id FROM (SELECT id, max(ended) FROM runs WHERE parent = '' AND kind IN {_KINDS} AND status = 'completed'
    AND ended < ?1 GROUP BY pipeline)))"""  # noqa: S608 - no text of others
_STAGES = f"""SELECT r.pipeline, e.stage, e.at, e.type, json_extract(e.data, '$.attempt'), json_extract(e.data, '$.cause'),
(SELECT group_concat(key, char(10)) FROM json_each(e.data, '$.outputs')), json_extract(e.data, '$.number'),
nullif(json_extract(e.data, '$.audits'), '{{}}')
FROM events e JOIN runs r ON r.id = e.run WHERE e.seq >= ?1 AND e.at >= ?2
AND e.type IN ('AttemptEnded', 'StageReused') AND e.stage IS NOT NULL AND json_valid(e.data) AND e.run IN ({_STAGED})"""  # noqa: S608 - no text of others
_SECONDS = """SELECT seq, json_extract(data, '$.seconds') FROM events WHERE seq IN (SELECT value FROM json_each(?))
AND type = 'AttemptEnded' AND json_valid(data)"""
_NOTES = """SELECT r.pipeline, e.run, e.at FROM events e JOIN runs r ON r.id = e.run WHERE e.seq >= ?1
AND (e.type = 'NoteAdded' OR e.type = 'IncidentMarked' AND json_valid(e.data)
    AND json_extract(e.data, '$.action') IN ('ack', 'note'))"""
_VERSIONS = """SELECT e.seq, r.pipeline, e.run, e.at, json_extract(e.data, '$.version'), json_extract(e.data, '$.kind'),
json_extract(e.data, '$.release') FROM events e JOIN runs r ON r.id = e.run
WHERE e.type = 'VersionPublished' AND json_valid(e.data) ORDER BY e.seq"""
_MADE = """SELECT e.run, e.stage, json_extract(o.value, '$.sha256') FROM events e, json_each(e.data, '$.outputs') o
WHERE e.run IN (SELECT value FROM json_each(?)) AND e.type IN ('AttemptEnded', 'StageReused') AND json_valid(e.data)"""
_READ = """SELECT e.seq, e.stage, e.at, t.atom FROM events e, json_tree(e.data, '$.inputs') t
WHERE e.seq > ?1 AND e.type = 'AttemptEnded' AND json_valid(e.data) AND t.key = 'sha256'
AND t.atom IN (SELECT value FROM json_each(?2)) ORDER BY e.seq"""
_RELEASES = """SELECT run, json_extract(data, '$.release') FROM events
WHERE run IN (SELECT value FROM json_each(?)) AND type = 'RunStarted' AND json_valid(data)"""


class FactTable:
    """The facts of one journal."""

    def __init__(self, database: Database, incidents: IncidentTable) -> None:
        self._db = database
        self._incidents = incidents

    def read(self, since: float, incidents: Sequence[Incident]) -> Facts:
        """The facts from a time on; of deployments and incidents all, since what came later may be about them.

        Args:
            since: seconds since the epoch.
            incidents: those of the journal, as they stand now.

        Raises:
            JournalUnreadable: it cannot be read.
        """
        rows = self._db.read(
            "SELECT min(first_seq) FROM runs WHERE started >= ?1 OR ended IS NULL OR ended >= ?1", (since,)
        )
        first = rows[0][0] if rows[0][0] is not None else 2**62
        return Facts(
            runs=list(self._runs(since)),
            stages=self._stages(first, since),
            notes=[
                FactNote(pipeline=row[0], run=row[1], at=row[2]) for row in self._db.read(_NOTES, (first,))
            ],
            deployments=self._deployments(since),
            firings=list(self._firings(since)),
            late=list(self._late(since, incidents)),
            incidents=self._with_releases(incidents),
        ).sorted()

    def pipelines(self) -> list[str]:
        """The pipelines that ever ran."""
        return [row[0] for row in self._db.read("SELECT DISTINCT pipeline FROM runs ORDER BY pipeline")]

    # -- runs and schedules ---------------------------------------------------------------------

    def _runs(self, since: float) -> Iterator[FactRun]:
        about = {
            row[0]: row[1:]
            for row in self._if_there("intervals", "SELECT run, start, end, schedule FROM intervals")
        }
        kinds = dict(self._if_there("ticks", "SELECT run, kind FROM ticks WHERE run != ''"))
        for name, pipeline, status, started, ended in self._db.read(_RUNS, (since,)):
            start, end, schedule = about.get(name, (0.0, 0.0, ""))
            trigger = _TRIGGERS.get(kinds.get(name, "time" if schedule else "manual"), Trigger.HAND)
            yield FactRun(
                id=name,
                pipeline=pipeline,
                status=Status(status),
                at=started,
                ended=ended,
                trigger=trigger,
                interval_end=end if schedule and end > start else None,
                schedule=schedule,
            )

    def _firings(self, since: float) -> Iterator[FactFiring]:
        """The firings of schedules; what was missed while a person had paused one was not expected."""
        paused = self._paused()
        query = "SELECT pipeline, schedule, due, state FROM ticks WHERE kind != 'manual' AND due >= ?"
        for pipeline, schedule, due, state in self._if_there("ticks", query, (since,)):
            came = state != "skipped"
            if came or not any(start <= due < end for start, end in paused.get((pipeline, schedule), ())):
                yield FactFiring(pipeline=pipeline, schedule=schedule, at=due, came=came)

    def _paused(self) -> dict[tuple[str, str], list[tuple[float, float]]]:
        query = "SELECT pipeline, schedule, at, action FROM schedule_log ORDER BY rowid"
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for pipeline, schedule, at, action in self._if_there("schedule_log", query):
            spans = found.setdefault((pipeline, schedule), [])
            goes_on = bool(spans) and spans[-1][1] == float("inf")
            if action == "pause" and not goes_on:
                spans.append((at, float("inf")))
            elif action == "resume" and spans:
                spans[-1] = (spans[-1][0], min(at, spans[-1][1]))
        return found

    def _if_there(self, table: str, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._db.read(query, values) if has_table(self._db, table) else []

    # -- stages ---------------------------------------------------------------------------------

    def _stages(self, first: int, since: float) -> list[FactStage]:
        rows = self._db.read(_STAGES, (first, since))
        numbers = {row[7] for row in rows if row[3] == "StageReused" and row[7]}
        took = dict(self._db.read(_SECONDS, (json.dumps(sorted(numbers)),)))
        return [_stage(row, took) for row in rows]

    # -- deployments ----------------------------------------------------------------------------

    def _deployments(self, since: float) -> list[FactDeployment]:
        """All deployments; of those since a time also when another stage first read what was new in them."""
        before: dict[str, str] = {}  # pipeline → the run that was shown
        found: list[FactDeployment] = []
        new: dict[int, tuple[int, str, str]] = {}
        for seq, pipeline, run, at, version, kind, release in self._db.read(_VERSIONS):
            if kind != "run":
                one = FactDeployment(
                    pipeline=pipeline, version=version, at=at, kind=kind, run=run, release=release or ""
                )
                if at >= since and not one.is_rollback:
                    new[len(found)] = (seq, run, before.get(pipeline, ""))
                found.append(one)
            before[pipeline] = run
        used = self._first_uses(new)
        return [dataclasses.replace(one, first_use=used.get(place)) for place, one in enumerate(found)]

    def _first_uses(self, new: Mapping[int, tuple[int, str, str]]) -> dict[int, float]:
        """When a stage of another run first read contents that are new in a version. `new`: the number of the event, the run
        that is shown, and the one that was shown before."""
        if not new:
            return {}
        runs = sorted({run for _, *both in new.values() for run in both if run})
        made: dict[str, dict[str, set[str]]] = {}  # run → content → the stages that made it
        for run, stage, content in self._db.read(_MADE, (json.dumps(runs),)):
            if content:
                made.setdefault(run, {}).setdefault(content, set()).add(stage)
        fresh = {
            place: {
                content: stages
                for content, stages in made.get(run, {}).items()
                if content not in made.get(earlier, {})
            }
            for place, (_, run, earlier) in new.items()
        }
        wanted = sorted({content for contents in fresh.values() for content in contents})
        first = min(seq for seq, *_ in new.values())
        found: dict[int, float] = {}
        for number, stage, at, content in self._db.read(_READ, (first, json.dumps(wanted))) if wanted else ():
            for place, (seq, *_) in new.items():
                # What its own run read it read before that was shown.
                if place not in found and number > seq and fresh[place].get(content, {stage}) - {stage}:
                    found[place] = at
        return found

    # -- incidents ------------------------------------------------------------------------------

    def _late(self, since: float, incidents: Iterable[Incident]) -> Iterator[FactLate]:
        for one in incidents:
            if one.kind is Kind.LATE and one.last_seen >= since:
                for change in self._incidents.changes_of(one.id):
                    if change.what in {What.OPENED, What.AGAIN} and change.at >= since:
                        yield FactLate(pipeline=one.pipeline, schedule=one.subject, at=change.at)

    def _with_releases(self, incidents: Sequence[Incident]) -> list[FactIncident]:
        runs = sorted({one.run for one in incidents if one.run})
        releases = dict(self._db.read(_RELEASES, (json.dumps(runs),)))
        return [
            FactIncident(
                pipeline=one.pipeline,
                kind=one.kind,
                at=one.opened,
                closed=one.closed,
                closed_run=one.closed_run,
                release=releases.get(one.run) or "",
            )
            for one in incidents
        ]


_TRIGGERS = {"time": Trigger.SCHEDULE, "news": Trigger.DATA, "manual": Trigger.HAND}


def _stage(row: Sequence[Any], took: Mapping[int, float]) -> FactStage:
    pipeline, stage, at, kind, attempt, cause, outputs, number, text = row
    audits = _audits(text) if text else ()
    is_attempt = kind == "AttemptEnded"
    return FactStage(
        pipeline=pipeline,
        stage=stage,
        at=at,
        attempt=attempt or 1 if is_attempt else 0,
        completed=cause is None,
        saved=None if is_attempt else took.get(number),
        outputs=tuple(outputs.split("\n")) if outputs else (),
        covered=tuple(one.output for one in audits if one.checks),
        audits=audits if is_attempt else (),
    )


def _audits(text: str) -> tuple[FactAudit, ...]:
    """Audits out of the text of `audits.audits_to_json`; of tens of thousands only what figures need is made."""
    try:
        return tuple(_audit(name, audit) for name, audit in json.loads(text).items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def _audit(output: str, audit: Mapping[str, Any]) -> FactAudit:
    rows, checks = int(audit["rows"]), []
    for check in audit["checks"]:
        columns, outcome = tuple(check.get("columns", ())), check["outcome"]
        failing = failing_fraction(outcome, columns, check.get("figure"), rows)
        checks.append(_check(columns, check["severity"], outcome, failing))
    return FactAudit(output=output, rows=rows, rejected=int(audit.get("rejected", 0)), checks=tuple(checks))


@functools.lru_cache(maxsize=4096)
def _check(columns: tuple[str, ...], severity: str, outcome: str, failing: float) -> FactCheck:
    return FactCheck(columns=columns, severity=Severity(severity), outcome=Outcome(outcome), failing=failing)


def failing_fraction(outcome: str, columns: Sequence[str], figure: object, rows: int) -> float:
    """Which part of the rows breaks a rule, by what its `CheckResult` says. A rule about the rows of columns counts them, in whole
    numbers; what another one measures, as an age or a distance, is no count: that holds, or it does not."""
    if outcome == Outcome.ERROR:
        return 1.0
    if columns and isinstance(figure, int) and rows:
        return min(1.0, max(0.0, figure / rows))
    return 0.0 if outcome == Outcome.PASSED else 1.0
