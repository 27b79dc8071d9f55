"""The digest of a week: the main figures of each pipeline, which way they went, and the incidents that are open."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.alerting.rules import recipients
from stagebook.alerting.text import Where, env_option, on_one_line, says, utc
from stagebook.evidence import Place, window_figures
from stagebook.incidents.incident import Incident
from stagebook.indicators.facts import Window
from stagebook.indicators.indicator import Indicator
from stagebook.indicators.report import PipelineFigures
from stagebook.indicators.words import amount, direction
from stagebook.journal.alert_table import StoredAlert
from stagebook.workspace.notify_settings import NotifySettings

MAIN = (
    "runs", "automation", "errors", "on_time", "freshness", "check_failures", "rejected_rows", "quality",
    "changes_delivered", "lead_time_median", "change_failures", "restore_time",
)  # fmt: skip
_MOST = 20  # incidents that are named


def make_digests(
    rules: Mapping[str, NotifySettings], place: Place, where: Where, now: float
) -> Iterator[tuple[str, tuple[float, float], list[StoredAlert]]]:
    """The digests that are due: for each rule the week that it is about, and an alert for each recipient. Of weeks in which
    nobody made any the last one alone is told. Raises `JournalUnreadable`."""
    found: dict[tuple[float, float], list[PipelineFigures]] = {}
    for name, rule in rules.items():
        week = rule.digest_week(now)
        if week is None or not rule.tells_of(where.environment):
            continue
        if not place.journal.digests.is_due(name, f"{rule.digest} {rule.zone}", week, now):
            continue
        if week not in found:
            found[week] = window_figures(place, Window(start=week[0], end=week[1]))
        open_ones = [one for one in place.incidents() if one.is_open and _is_of(rule, one.pipeline)]
        figures = [one for one in found[week] if _is_of(rule, one.pipeline) and not one.is_empty]
        message = {**digest_message(figures, open_ones, week, where), "rule": name}
        yield (
            name,
            week,
            [_alert(name, one, week, rule.quiet_until(now), now, message) for one in recipients(rule)],
        )


def _alert(
    rule: str,
    recipient: str,
    week: tuple[float, float],
    send_at: float,
    now: float,
    message: Mapping[str, Any],
) -> StoredAlert:
    text = f"{rule}\n{recipient}\ndigest\n{week[1]:.0f}"
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return StoredAlert(key=key, rule=rule, recipient=recipient, made=now, message=message, next=send_at)


def digest_message(
    figures: Sequence[PipelineFigures],
    incidents: Sequence[Incident],
    week: tuple[float, float],
    where: Where,
) -> dict[str, Any]:
    """A digest as plain data, as other alerts are: `digest` holds its figures."""
    runs = sum(one.find("runs").count for one in figures)
    failed = round(sum((it.value or 0) * it.count for it in (one.find("errors") for one in figures)))
    parts = [_counted(runs, "run"), f"{failed} failed", _counted(len(incidents), "open incident")]
    title = f"· Week to {utc(week[1])[:10]}: {', '.join(parts)} ({where.project}, {where.environment})"
    return {
        "title": title,
        "body": "\n\n".join(_body(figures, incidents, week, where)),
        "project": where.project,
        "environment": where.environment,
        "facts": [],
        "digest": {
            "since": week[0],
            "until": week[1],
            "pipelines": {one.pipeline: _figures_to_json(one) for one in figures},
            "incidents": [one.to_json() for one in incidents],
        },
    }


def _body(
    figures: Sequence[PipelineFigures],
    incidents: Sequence[Incident],
    week: tuple[float, float],
    where: Where,
) -> Iterator[str]:
    yield f"{utc(week[0])} to {utc(week[1])}; in brackets: the week before"
    for one in figures:
        yield "\n".join([on_one_line(one.pipeline), *(_line(found) for found in _main(one))])
    if not figures:
        yield "nothing ran"
    if incidents:
        named = [
            f"! {on_one_line(one.name)} {says(one)}, since {utc(one.opened)}" for one in incidents[:_MOST]
        ]
        more = [f"and {len(incidents) - _MOST} more"] if len(incidents) > _MOST else []
        yield "\n".join(
            ["open incidents", *named, *more, f"look: stagebook incident list{env_option(where)}"]
        )
    yield f"look: stagebook metrics --days 7 --explain --env {where.environment}"


def _main(one: PipelineFigures) -> list[Indicator]:
    found = (one.find(name) for name in MAIN)
    return [item for item in found if item.value is not None]


def _line(one: Indicator) -> str:
    before = one.trend.before
    shown = f" ({amount(before, one.unit)})" if before is not None else ""
    arrow = direction(one)
    return f"{one.title}: {amount(one.value, one.unit)}{shown}{f' {arrow}' if arrow else ''}"


def _figures_to_json(one: PipelineFigures) -> dict[str, Any]:
    return {
        found.name: {
            "value": found.value,
            "before": found.trend.before,
            "unit": found.unit,
            "count": found.count,
        }
        for found in _main(one)
    }


def _is_of(rule: NotifySettings, pipeline: str) -> bool:
    return not rule.pipelines or any(fnmatch.fnmatchcase(pipeline, glob) for glob in rule.pipelines)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
