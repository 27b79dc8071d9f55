"""Who leads: one scheduler at a time, and anybody can see which."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import filelock
import pytest

from stagebook.errors import UsageError
from stagebook.scheduling.scheduler import Leader, Scheduler, leader_of
from waiting import until


def test_nobody_leads_where_nothing_was_started(tmp_path: Path) -> None:
    assert leader_of(tmp_path) is None
    assert not (tmp_path / ".stagebook").exists()


def test_who_leads_can_be_seen_and_is_alone(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    lines: list[str] = []
    leading = Scheduler(tmp_path, jobs=1, say=lines.append)
    thread = threading.Thread(target=leading.run)
    thread.start()
    try:
        found = until(lambda: (one := leader_of(tmp_path)) and one.pid and one, 10, "nobody leads")
        assert isinstance(found, Leader)
        assert str(found).startswith(f"process {os.getpid()} on ")
        with pytest.raises(UsageError, match="a scheduler leads in this project: process"):
            Scheduler(tmp_path, jobs=1, say=lines.append).once()
    finally:
        leading.end()
        thread.join()
    assert lines == ["ended"]
    assert leader_of(tmp_path) is None


def test_one_that_waits_leads_afterwards(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / ".stagebook").mkdir()
    lines: list[str] = []
    waiting = Scheduler(tmp_path, jobs=1, say=lines.append)
    with filelock.FileLock(tmp_path / ".stagebook/scheduler.lock"):
        thread = threading.Thread(target=waiting.run)
        thread.start()
        until(lambda: lines, 10, "it does not say for whom it waits")
        assert lines == ["another process leads; waiting for its end"]
        assert leader_of(tmp_path) == Leader(pid=0, host="?", since=0.0)
    until(lambda: leader_of(tmp_path), 10, "it does not lead")
    waiting.end()
    thread.join()


def test_once_ends_where_nothing_is_due(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    lines: list[str] = []
    Scheduler(tmp_path, jobs=1, say=lines.append).once()
    assert lines == []
