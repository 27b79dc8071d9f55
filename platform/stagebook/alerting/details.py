"""What is known of a fact beside the fact: where it is, since when, what changed, whose it is, and where to look."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stagebook.alerting.rules import Fact
from stagebook.errors import JournalUnreadable
from stagebook.events import RunStarted
from stagebook.journal.history import RunHistory, StageRecord
from stagebook.journal.journal import Journal, attempt_key
from stagebook.system.logins import without_login
from stagebook.system.tracking_uri import is_remote
from stagebook.workspace.contracts import Contracts
from stagebook.workspace.paths import home_of

_NOTEBOOK = "notebook.ipynb"  # of an attempt
_MOST_CHANGES = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is known of a fact; empty, or `None`, where it is not.

    Args:
        cell: the code cell that failed, from 1, of `cells`.
        error: the last line of what it raised.
        notebook: the notebook of the stage, and `executed` as it was executed; relative to the project.
        last_good: the run that made the last good result, at `good_at` (seconds since the epoch).
        changed: what changed since that.
        about: the interval that the run is about, and the schedule that it is of.
        commit: of the checkout; `by`: who or what started the run.
        owner: of the datasets that it is about.
        mlflow, lab: where to look in a browser.
    """

    cell: int = 0
    cells: int = 0
    error: str = ""
    notebook: str = ""
    executed: str = ""
    last_good: str = ""
    good_at: float | None = None
    changed: tuple[str, ...] = ()
    about: str = ""
    commit: str = ""
    by: str = ""
    owner: str = ""
    mlflow: str = ""
    lab: str = ""

    def to_json(self) -> dict[str, Any]:
        """What is known, as plain data."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


class Looking:
    """Finds details in the journal and on disk. What cannot be found is left out: an alert is better without than late.

    Args:
        root: where the runs ran.
        journal: that they are in.
        tracking: where MLflow keeps them; empty: nowhere.
        lab: the address of a JupyterLab that shows the project; empty: none.
    """

    def __init__(self, root: Path, journal: Journal, *, tracking: str = "", lab: str = "") -> None:
        self._journal = journal
        self._contracts = Contracts(root)
        self._tracking = without_login(tracking).rstrip("/") if tracking and is_remote(tracking) else ""
        self._lab = lab.rstrip("/")
        self._root = root
        self._run = functools.lru_cache(maxsize=16)(self._read)

    def of(self, fact: Fact) -> Details:
        """The details of a fact."""
        if not fact.run:
            return Details()
        history = self._run(fact.run)
        started = history.started
        if fact.incident is None or started is None:
            return Details(**_of_start(started), mlflow=self._page(fact.run))
        incident = fact.incident
        stage = history.stages.get(incident.stage)
        first = self._run(incident.run).started or started
        good = self._journal.results.latest(incident.pipeline).get(incident.stage)
        key = attempt_key(fact.run, incident.stage, stage.attempt) if stage is not None else fact.run
        notebook = stage.notebook if stage is not None else ""
        return Details(
            **_of_stage(stage),
            executed=self._executed(stage),
            **_of_start(started),
            last_good=good.run if good is not None else "",
            good_at=good.at if good is not None else None,
            changed=_changes(first.plan, incident.stage),
            owner=self._owner(incident.pipeline, incident.stage, incident.subject),
            mlflow=self._page(key) or self._page(fact.run),
            lab=f"{self._lab}/lab/tree/{quote(notebook)}" if self._lab and notebook else "",
        )

    def _executed(self, stage: StageRecord | None) -> str:
        """Where the executed notebook is, seen from the project: the state of an environment is not that of the project."""
        if stage is None or not stage.folder:
            return ""
        path = os.path.realpath(self._root / stage.folder / _NOTEBOOK)
        return os.path.relpath(path, os.path.realpath(home_of(self._root)))

    def _read(self, run: str) -> RunHistory:
        try:
            return RunHistory(event for _, event in self._journal.events.of(run))
        except JournalUnreadable:
            return RunHistory()

    def _page(self, key: str) -> str:
        found = self._journal.outbox.tracked(key) if self._tracking else None
        return f"{self._tracking}/#/experiments/{found[0]}/runs/{found[1]}" if found else ""

    def _owner(self, pipeline: str, stage: str, subject: str) -> str:
        """The owners of the datasets that something is about: an output, or all outputs of a stage."""
        name, output = stage.partition("@")[0], subject.removeprefix(f"{stage}.") if subject != stage else ""
        owners = []
        for dataset, path in self._contracts.paths().items():
            if dataset == f"{pipeline}.{name}.{output}" or (
                not output and name and dataset.startswith(f"{pipeline}.{name}.")
            ):
                owners.append(self._contracts.load(path).contract.owner)
        return ", ".join(dict.fromkeys(filter(None, owners)))


def _of_start(started: RunStarted | None) -> dict[str, Any]:
    if started is None:
        return {}
    schedule = f"the schedule {started.schedule}" if started.schedule else ""
    about = ", by ".join(filter(None, (started.interval.get("name", ""), schedule)))
    return {"about": about, "commit": started.origin.commit, "by": started.origin.user}


def _of_stage(stage: StageRecord | None) -> dict[str, Any]:
    if stage is None:
        return {}
    failed = stage.cause is not None
    return {
        "cell": stage.cell if failed else 0,
        "cells": stage.cells if failed else 0,
        "error": _last_line(stage.message) if failed else "",
        "notebook": stage.notebook,
    }


def _changes(plan: Mapping[str, Any], stage: str) -> tuple[str, ...]:
    """Why a stage ran, as the plan had it."""
    stages: Sequence[Mapping[str, Any]] = plan.get("stages", ())
    reasons = next((one.get("reasons", ()) for one in stages if one.get("id") == stage), ())
    return tuple(str(reason) for reason in reasons[:_MOST_CHANGES])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
