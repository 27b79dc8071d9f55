"""What MLflow is told of the datasets of attempts."""

from __future__ import annotations

import contextlib

from stagebook.errors import JournalUnreadable
from stagebook.events import AttemptEnded, Event, RunEnded, RunStarted, StageExpanded, StageMeasured
from stagebook.journal.journal import Journal, attempt_key
from stagebook.tracking.datasets import RunDatasets
from stagebook.tracking.mlflow import Mlflow
from stagebook.tracking.telling import Telling

_TELLING = (RunStarted, StageExpanded, AttemptEnded, StageMeasured, RunEnded)


class DatasetRecord:
    """Tells of the datasets of all runs. What another process was told of a run comes out of the journal."""

    def __init__(self, journal: Journal, mlflow: Mlflow) -> None:
        self._journal = journal
        self._mlflow = mlflow
        self._runs: dict[str, RunDatasets] = {}

    def take(self, event: Event) -> None:
        """Take an event, before it is told."""
        if not isinstance(event, _TELLING):
            return
        if isinstance(event, RunStarted):
            self._runs[event.run] = RunDatasets()
        elif event.run not in self._runs:
            self._runs[event.run] = self._earlier(event)
        self._runs[event.run].take(event)

    def tell(self, telling: Telling, event: Event) -> None:
        """Tell of the datasets of which nothing more is to come since an event that was taken."""
        known = self._runs[event.run]
        for attempt in known.ready(event):
            tracked = self._journal.outbox.tracked(attempt_key(event.run, *attempt))
            with telling.part("inputs and outputs"):
                if tracked is not None:
                    for refused in self._mlflow.run(tracked[1]).inputs(known.entries(attempt)):
                        telling.pass_over(refused)
                known.told(attempt)

    def forget(self, run: str) -> None:
        """Nothing more comes of a run."""
        self._runs.pop(run, None)

    def _earlier(self, until: Event) -> RunDatasets:
        """What was told of a run before an event. A journal that is damaged says nothing."""
        known = RunDatasets()
        with contextlib.suppress(JournalUnreadable):
            for _, event in self._journal.events.of(until.run):
                if event == until:
                    break
                known.take(event)
                for attempt in known.ready(event):
                    known.told(attempt)
        return known
