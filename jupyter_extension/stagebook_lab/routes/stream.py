"""Routes about what is current: at once, and as a stream of changes."""

from __future__ import annotations

import asyncio
import contextlib

from tornado.iostream import StreamClosedError

from stagebook.errors import StagebookError
from stagebook_lab.feed.snapshot import SnapshotReader
from stagebook_lab.feed.watch import Feed, Listener
from stagebook_lab.present import to_json
from stagebook_lab.projects import open_project
from stagebook_lab.routes.handler import Handler, reads
from stagebook_lab.wire import Change

ALIVE = 15.0  # seconds without news after which a stream shows that it is alive


class StatusHandler(Handler):
    """`GET status?project=`."""

    @reads
    async def get(self) -> None:
        """The last outcome of each stage, and the latest runs."""
        await self.answer_about(lambda project, _: SnapshotReader(project).read().since(None))


class StreamHandler(Handler):
    """`GET stream?project=&after=`, as server-sent events."""

    _track_activity = False  # a browser that only watches keeps no server alive
    _closed = False
    _listener: Listener | None = None

    @reads
    async def get(self) -> None:
        """Send changes as they come, from the event after `Last-Event-ID` or `after` on. Without either, the
        first change is everything that is current."""
        path = self.text("project")
        last = self.request.headers.get("Last-Event-ID") or self.text("after")
        position = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
        try:
            root = await asyncio.to_thread(lambda: open_project(self.root, path).root)
        except StagebookError as error:
            return await self.refuse(error)
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Accel-Buffering", "no")  # a proxy passes each event on at once
        with contextlib.suppress(StreamClosedError):
            await self.flush()
            await self._send_changes(self.services.feeds.of(root), position)
        return None

    def on_connection_close(self) -> None:
        """Stop sending."""
        self._closed = True
        if self._listener is not None:
            self._listener.wake()
        super().on_connection_close()

    async def _send_changes(self, feed: Feed, position: int | None) -> None:
        known: Change | None = None
        with feed.listening() as listener:
            self._listener = listener
            while not self._closed:
                if await listener.wait(ALIVE):
                    snapshot, error = feed.snapshot, feed.error
                    if error is not None:
                        self.write(f"event: problem\ndata: {to_json(error)}\n\n")
                    change = snapshot.since(position, known) if snapshot is not None else None
                    if change is not None:
                        position, known = change.seq, change
                        self.write(f"id: {change.seq}\nevent: change\ndata: {to_json(change)}\n\n")
                else:
                    self.write(": alive\n\n")
                await self.flush()


ROUTES: tuple[tuple[str, type[Handler]], ...] = (("status", StatusHandler), ("stream", StreamHandler))
