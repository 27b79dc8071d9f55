"""One thread for each project that is watched: it reads the journal when that has changed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from stagebook.errors import StagebookError
from stagebook.project import Project
from stagebook.workspace.environments import DEV
from stagebook_lab.feed.elsewhere import marks
from stagebook_lab.feed.files import Definitions, LatestPlans, time_and_size
from stagebook_lab.feed.snapshot import Snapshot, SnapshotReader
from stagebook_lab.present import error_reply
from stagebook_lab.wire import ErrorReply

POLL = 0.05  # seconds between two looks at the time and size of the journal's files, while something happens
REST = 0.25  # the same where nothing goes on, and nothing has happened for so many seconds:
QUIET = 3.0
READ = 1.0  # seconds after which the journal is read, whatever its files say
VANISHED = 2.0  # seconds between two looks for runs whose process vanished
TICK = 0.02  # seconds: file times are this coarse, so a file that was just written is read twice


class Listener:
    """Waits on an event loop for news of a feed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Say that there is news; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout: float) -> bool:
        """Wait for news, at most `timeout` seconds; whether there is any."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Feed:
    """What is current in a project, or why it is not known, and who listens."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.plans = LatestPlans()
        self.snapshot: Snapshot | None = None
        self.error: ErrorReply | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Listener]:
        """Listen for as long as the block lasts."""
        listener = Listener()
        with self._lock:
            self._listeners.add(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="stagebook-feed", daemon=True)
                self._thread.start()
        if self.snapshot is not None or self.error is not None:
            listener.wake()
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def stop(self) -> None:
        """End the thread, whoever listens."""
        self._end.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout=5.0)

    def _watch(self) -> None:
        while not self._end.is_set():
            with self._lock:
                if not self._listeners:
                    self._thread, self.snapshot, self.error = None, None, None
                    return
            try:
                with Project.open(self._root, DEV) as project:
                    self._follow(project)
            except (StagebookError, ValueError, OSError) as error:
                self._tell(None, _error_reply(error))
                self._end.wait(READ)

    def _follow(self, project: Project) -> None:
        """Look until nobody listens, or another journal takes the place of this one."""
        reader = SnapshotReader(project)
        files, definitions = _JournalFiles(project), Definitions(project, self.plans)
        looked = told = time.monotonic()
        while self._listeners and not self._end.is_set():
            if files.is_another_journal():
                return
            if files.may_have_changed():
                read = reader.read()
                snapshot = dataclasses.replace(
                    read, definitions=definitions.look(is_live=reader.is_live), elsewhere=marks(project)
                )
                if snapshot != self.snapshot:
                    self._tell(snapshot, None)
                    told = time.monotonic()
            if reader.is_live and time.monotonic() - looked > VANISHED:
                project.history.close_abandoned()
                looked = time.monotonic()
            rests = not reader.is_live and time.monotonic() - told > QUIET
            self._end.wait(REST if rests else POLL)

    def _tell(self, snapshot: Snapshot | None, error: ErrorReply | None) -> None:
        self.snapshot, self.error = snapshot, error
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.wake()


class Feeds:
    """The feeds of a server, one for each project."""

    def __init__(self) -> None:
        self._feeds: dict[Path, Feed] = {}

    def of(self, root: Path) -> Feed:
        """The feed of a project."""
        return self._feeds.setdefault(root, Feed(root))

    def stop(self) -> None:
        """End all of them."""
        for feed in self._feeds.values():
            feed.stop()


class _JournalFiles:
    """Tells by the times and sizes of the journal's files whether it may have changed."""

    def __init__(self, project: Project) -> None:
        self._path = project.root / ".stagebook" / "journal.db"
        self._inode = _inode(self._path)
        self._seen: object = None
        self._looked = 0.0

    def is_another_journal(self) -> bool:
        """Whether the journal was replaced by a new one."""
        return _inode(self._path) != self._inode

    def may_have_changed(self) -> bool:
        """Whether the journal has to be read: it was written to, or was not read for long."""
        now = time.monotonic()
        wal = time_and_size(self._path.with_name("journal.db-wal"))
        lately = wal is not None and time.time() - wal[0] / 1e9 < TICK
        if wal == self._seen and now - self._looked <= READ:
            return False
        self._looked = now
        self._seen = None if lately else wal
        return True


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _error_reply(error: StagebookError | ValueError | OSError) -> ErrorReply:
    if isinstance(error, StagebookError):
        return error_reply(error)
    return ErrorReply(message=f"the journal cannot be read: {error}", kind=type(error).__name__)
