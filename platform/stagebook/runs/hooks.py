"""What takes part in a run, for those that start one. Imports nothing of execution."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagebook.errors import PipelineBusy
    from stagebook.execution.engine.protocol import Engine
    from stagebook.runs.recorder import Listener
    from stagebook.tracking.delivery import Delivery


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaunchHooks:
    """What takes part in a run besides what was asked for.

    Args:
        listeners: are given the events, once the journal has them.
        engine: `None`: the local one.
        waiting: is told which run this one waits for.
        parent: the sweep that the run is a point of, and `delivery` what tells MLflow of it.
        keep_server: whether the fork server stays for a further run.
        behind: MLflow is told of the end while nobody waits.
        publishes: an environment shows what the run came to once it completed.
    """

    listeners: Sequence[Listener] = ()
    engine: Engine | None = None
    waiting: Callable[[PipelineBusy], None] = lambda _busy: None
    parent: str = ""
    delivery: Delivery | None = None
    keep_server: bool = False
    behind: bool = False
    publishes: bool = True
