"""The local engine: a process for each attempt, on this machine."""

from __future__ import annotations

import collections
import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Collection, Mapping, Sequence

from stagebook.events import Cause
from stagebook.execution.attempt import Attempt, AttemptResult
from stagebook.execution.engine.protocol import Ended, Report
from stagebook.execution.engine.worker import Worker
from stagebook.execution.fork.client import ForkRefused, ForkServer

ANSWER = 60.0  # seconds for the fork server to answer; then the stage starts the ordinary way
BACKSTOP = 15.0  # seconds after a worker's own timeout until it is ended from outside


class LocalEngine:
    """Runs a worker for each attempt, in a session of its own, and listens to it.

    With a fork server the process is forked from it; where the server refuses, or is gone, it is started
    the ordinary way, with the same result. The engine tells the server to import `modules` ahead, and to hold
    processes ready for the attempts that are `to_come`: executor → how many, of which `jobs` run at a time.
    It ends the server when it is closed, unless it is to keep it.
    """

    def __init__(
        self,
        *,
        server: ForkServer | None = None,
        modules: Sequence[str] = (),
        to_come: Mapping[str, int] | None = None,
        jobs: int = 1,
        keep_server: bool = False,
    ) -> None:
        self._keep_server = keep_server
        self._to_come = collections.Counter(to_come or {})
        self._jobs = jobs
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._workers: dict[str, Worker] = {}  # by stage
        self._ended: list[Report] = []  # ends that are still to be reported
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        if server is not None:
            server.tell(modules=list(modules), spares=self._spares())

    # -- the protocol of engines ----------------------------------------------------------------

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt in a new process, in its folder, which is made."""
        try:
            worker = Worker(attempt)
        except OSError as error:
            self._report(Ended(stage=attempt.stage, attempt=attempt.number, result=_not_started(error)))
            return
        if attempt.timeout is not None:
            worker.kill_at = worker.started + attempt.timeout + attempt.grace + BACKSTOP
        self._workers[attempt.stage] = worker
        if self._fork(worker):
            self._selector.register(worker.output.fd, selectors.EVENT_READ, worker)
        else:
            self._spawn(worker)

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """Reports of the workers, as `protocol.Engine.wait`."""
        if not self._ended:
            for key, _ in self._selector.select(_until(self._workers.values(), timeout)):
                self._hear(key)
            self._end_overdue()
        reports, self._ended = self._ended, []
        return reports

    def cancel(self, stage: str, *, now: bool = False) -> None:
        """Ask with SIGTERM; force with SIGKILL at once, or after the attempt's grace."""
        worker = self._workers.get(stage)
        if worker is None:
            return
        worker.cause = Cause.CANCELLED
        if worker.is_awaited:
            self._give_up(worker, AttemptResult(cause=Cause.CANCELLED, message="cancelled before it began"))
        elif now:
            worker.signal(signal.SIGKILL)
        else:
            worker.signal(signal.SIGTERM)
            limit = time.monotonic() + worker.attempt.grace
            worker.kill_at = limit if worker.kill_at is None else min(limit, worker.kill_at)

    def wake(self) -> None:
        """Let `wait` return."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"!")

    def close(self) -> None:
        """End all workers by force, and the fork server unless it is to be kept."""
        for worker in list(self._workers.values()):
            if worker.is_awaited:
                worker.release()
            else:
                worker.signal(signal.SIGKILL)
                worker.collect()
        self._workers.clear()
        if self._server is not None and not self._keep_server:
            self._server.close()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    # -- starting -------------------------------------------------------------------------------

    def _fork(self, worker: Worker) -> bool:
        """Ask the fork server for a worker; whether it was asked. It answers later."""
        if self._server is None or not self._server.is_alive:
            return False
        try:
            forked = worker.fork(self._server.address)
        except (ForkRefused, OSError):
            return False
        self._selector.register(forked, selectors.EVENT_READ, worker)
        before = self._spares()
        self._to_come[worker.attempt.executor] -= 1
        if self._spares() != before:
            self._server.tell(spares=self._spares())
        return True

    def _spares(self) -> dict[str, int]:
        """How many processes of each kind are worth having ahead: as many as may start next."""
        kinds = {"worker": self._to_come.total(), "kernel": self._to_come["kernel"]}
        kinds["cells"] = self._to_come["inprocess"]
        return {kind: max(0, min(self._jobs, count)) for kind, count in kinds.items()}

    def _spawn(self, worker: Worker) -> None:
        """Start a worker the ordinary way."""
        try:
            worker.spawn()
        except OSError as error:
            self._give_up(worker, _not_started(error))
        else:
            self._selector.register(worker.output.fd, selectors.EVENT_READ, worker)

    def _start_anew(self, worker: Worker) -> None:
        """The fork server refused a worker, or does not answer: start it the ordinary way."""
        self._forget(worker)
        worker.renew()
        self._spawn(worker)

    # -- listening ------------------------------------------------------------------------------

    def _hear(self, key: selectors.SelectorKey) -> None:
        worker: Worker | None = key.data
        if worker is None:
            with contextlib.suppress(BlockingIOError):
                while self._wake_in.recv(4096):
                    pass
        elif self._workers.get(worker.attempt.stage) is not worker:
            return  # it was collected a moment ago
        elif key.fd == worker.output.fd:
            reports = worker.output.read()
            if reports is not None:
                self._ended += reports
            else:
                self._forget(worker)
                del self._workers[worker.attempt.stage]
                self._ended.append(worker.collect())
        elif key.fileobj is worker.process:
            try:
                if not worker.hear_server():
                    self._selector.unregister(key.fileobj)
            except ForkRefused:
                self._start_anew(worker)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers.values()):
            if worker.is_awaited and now >= worker.started + ANSWER:
                self._start_anew(worker)
            elif worker.kill_at is not None and now >= worker.kill_at:
                worker.kill_at = None
                worker.cause = worker.cause or Cause.TIMEOUT
                worker.signal(signal.SIGKILL)

    # -- ends -----------------------------------------------------------------------------------

    def _give_up(self, worker: Worker, result: AttemptResult) -> None:
        """End an attempt whose worker never came to be."""
        self._forget(worker)
        worker.release()
        del self._workers[worker.attempt.stage]
        self._report(worker.ended(result))

    def _report(self, ended: Ended) -> None:
        self._ended.append(ended)
        self.wake()

    def _forget(self, worker: Worker) -> None:
        """Listen to a worker no longer."""
        for key in list(self._selector.get_map().values()):
            if key.data is worker:
                self._selector.unregister(key.fileobj)


def _until(workers: Collection[Worker], timeout: float | None) -> float | None:
    """Seconds until a worker is overdue, or `timeout` if that is less."""
    limits = [worker.kill_at for worker in workers if worker.kill_at is not None]
    limits += [worker.started + ANSWER for worker in workers if worker.is_awaited]
    if not limits:
        return timeout
    left = max(0.0, min(limits) - time.monotonic())
    return left if timeout is None else min(left, timeout)


def _not_started(error: OSError) -> AttemptResult:
    return AttemptResult(cause=Cause.DISK, message=f"the stage could not be started: {error}")
