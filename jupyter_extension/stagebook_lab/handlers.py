"""The routes under `/stagebook/`. Each one authenticates, authorizes, and works in a thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from stagebook.errors import (
    JournalUnreadable,
    PipelineBusy,
    PipelineInvalid,
    PipelineNotFound,
    ProjectNotFound,
    RunNotFound,
    StagebookError,
    UsageError,
)
from stagebook.project import Given, Project
from stagebook_lab import looking, running, wire
from stagebook_lab.convert import Paths, pipeline_info, plan_reply, problems_of, run_info, to_json
from stagebook_lab.feed import Feed, Feeds
from stagebook_lab.ledger import RUNS, Ledger
from stagebook_lab.projects import find_projects, open_project
from stagebook_lab.reading import read

RESOURCE = "stagebook"  # what an authorizer is asked about
MAX_BODY = 1 << 20  # bytes of a request
ALIVE = 15.0  # seconds without news after which a stream shows that it is alive
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def authorized_to_execute(method: F) -> F:
    """Ask the authorizer for `execute`, because notebooks run then."""
    return cast("F", authorized("execute")(method))


class Handler(APIHandler):
    """What all routes have in common."""

    auth_resource = RESOURCE
    feeds: Feeds
    processes: running.Processes

    def initialize(self, feeds: Feeds, processes: running.Processes) -> None:
        """Take what all requests share."""
        self.feeds = feeds
        self.processes = processes

    @property
    def root(self) -> Path:
        """The folder that the server was started in."""
        assert self.serverapp is not None
        return Path(self.serverapp.root_dir).resolve()

    def text(self, name: str, default: str = "") -> str:
        """An argument of the URL."""
        return str(self.get_query_argument(name, default))

    def number(self, name: str, default: int) -> int:
        """An argument of the URL that is a whole number from 0 on. Raises `UsageError`."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            msg = f"'{name}' has to be a number, not '{text}'"
            raise UsageError(msg)
        return int(text)

    def body(self, kind: type[T]) -> T:
        """The request of a POST. Raises `UsageError`."""
        if len(self.request.body) > MAX_BODY:
            msg = "the request is too large"
            raise UsageError(msg)
        return read(kind, self.request.body)

    async def answer(self, work: Callable[[], Any], status: int = 200) -> None:
        """Do the work in a thread, and answer with what comes of it, or with why it was refused."""
        try:
            reply = await asyncio.to_thread(lambda: to_json(work()))
        except StagebookError as error:
            status, reply = _status_of(error), to_json(self.refusal(error))
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            message = f"{error.strerror or error}{where}"
            status, reply = 400, to_json(wire.ErrorReply(message=message, kind=type(error).__name__))
        self.set_status(status)
        await self.finish(reply)

    async def answer_about(self, work: Callable[[Project, Paths], Any], project: str | None = None) -> None:
        """As `answer`, about the project that the request names. It is opened for this thread alone."""
        path = self.text("project") if project is None else project

        def in_thread() -> Any:
            with open_project(self.root, path) as opened:
                paths = Paths(self.root, opened)
                try:
                    return work(opened, paths)
                except PipelineInvalid as error:
                    problems = problems_of(paths, tuple(error.problems))
                    raise _Invalid(error, problems) from error

        await self.answer(in_thread)

    def refusal(self, error: StagebookError) -> wire.ErrorReply:
        """What the command line would say."""
        cause = error.cause if isinstance(error, _Invalid) else error
        return wire.ErrorReply(
            message=error.message,
            hint=error.hint,
            kind=type(cause).__name__,
            problems=error.problems if isinstance(error, _Invalid) else (),
        )


class _Invalid(StagebookError):
    """Mistakes, with the paths that the browser knows."""

    def __init__(self, cause: PipelineInvalid, problems: tuple[wire.Problem, ...]) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.cause = cause
        self.problems = problems


def _status_of(error: StagebookError) -> int:
    match error:
        case ProjectNotFound() | PipelineNotFound() | RunNotFound():
            return 404
        case PipelineBusy():
            return 409
        case JournalUnreadable():
            return 503
        case _:
            return 400


class ProjectsHandler(Handler):
    """`GET projects`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The projects below the server's root."""
        await self.answer(lambda: wire.ProjectsReply(projects=tuple(find_projects(self.root))))


class PipelinesHandler(Handler):
    """`GET pipelines?project=`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The pipelines of a project, with the mistakes that their files alone show."""

        def work(project: Project, paths: Paths) -> wire.PipelinesReply:
            path = "" if paths.project == "." else paths.project
            return wire.PipelinesReply(
                project=wire.ProjectInfo(path=path, name=project.root.name),
                pipelines=tuple(pipeline_info(paths, project, key) for key in project.pipelines()),
            )

        await self.answer_about(work)


class PlanHandler(Handler):
    """`GET plan?project=&pipeline=`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """What a run would do, stage by stage and why."""
        name = self.text("pipeline") or None
        pairs = tuple(self.get_query_arguments("param"))
        await self.answer_about(
            lambda project, paths: plan_reply(paths, project.plan(name, Given(pairs=pairs)))
        )


class StatusHandler(Handler):
    """`GET status?project=`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """What last became of each stage, and the latest runs."""
        await self.answer_about(lambda project, _: Ledger(project).look().since(None))


class RunsHandler(Handler):
    """`GET runs?project=&pipeline=&limit=` and `POST runs`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The latest runs."""
        name = self.text("pipeline") or None

        def work(project: Project, _: Paths) -> wire.RunsReply:
            found = project.runs(name, min(self.number("limit", RUNS), 1_000))
            return wire.RunsReply(runs=tuple(run_info(run) for run in found))

        await self.answer_about(work)

    @web.authenticated
    @authorized_to_execute
    async def post(self) -> None:
        """Start a run. It is planned first, so that mistakes are told and nothing starts."""
        try:
            request = self.body(wire.RunRequest)
        except UsageError as error:
            return await self.answer(_raise(error))

        def work(project: Project, _: Paths) -> wire.ProcessReply:
            running.check(project, request)
            return self.processes.look(project, self.processes.start(project, running.arguments(request)))

        return await self.answer_about(work, request.project)


class ProcessHandler(Handler):
    """`GET processes/PID?project=`."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        """What became of a process that was asked to run a pipeline."""
        await self.answer_about(lambda project, _: self.processes.look(project, int(pid)))


class RunHandler(Handler):
    """`GET runs/RUN?project=`."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """A run with its stages."""
        await self.answer_about(lambda project, _: looking.run_reply(project, project.find_run(run)))


class EventsHandler(Handler):
    """`GET runs/RUN/events?project=&after=`."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """The events of a run after a number."""
        await self.answer_about(
            lambda project, _: looking.events_reply(project, project.find_run(run), self.number("after", 0))
        )


class LogHandler(Handler):
    """`GET runs/RUN/log?project=&stage=&attempt=&after=`."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """A piece of what a stage printed."""

        def work(project: Project, _: Paths) -> wire.LogReply:
            attempt, after = self.number("attempt", 0) or None, self.number("after", 0)
            return looking.log_reply(project, project.find_run(run), self.text("stage"), attempt, after)

        await self.answer_about(work)


class NotebookHandler(Handler):
    """`GET runs/RUN/notebook?project=&stage=&attempt=`."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """The executed notebook of an attempt, also while it runs."""

        def work(project: Project, _: Paths) -> wire.NotebookReply:
            attempt = self.number("attempt", 0) or None
            return looking.notebook_reply(project, project.find_run(run), self.text("stage"), attempt)

        await self.answer_about(work)


class CancelHandler(Handler):
    """`POST runs/RUN/cancel`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self, run: str) -> None:
        """Ask a run to stop."""
        try:
            request = self.body(wire.CancelRequest)
        except UsageError as error:
            return await self.answer(_raise(error))
        return await self.answer_about(
            lambda project, _: running.cancel(project.find_run(run)), request.project
        )


class ResumeHandler(Handler):
    """`POST runs/RUN/resume`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self, run: str) -> None:
        """Start what is left of a run."""
        try:
            request = self.body(wire.ResumeRequest)
        except UsageError as error:
            return await self.answer(_raise(error))

        def work(project: Project, _: Paths) -> wire.ProcessReply:
            found = project.find_run(run)
            running.check_resume(project, found, keep=request.keep)
            words = ["resume", found.id, *(["--keep"] if request.keep else [])]
            return self.processes.look(project, self.processes.start(project, words))

        return await self.answer_about(work, request.project)


class StreamHandler(Handler):
    """`GET stream?project=&after=`, as server-sent events."""

    _track_activity = False  # a browser that only watches keeps no server alive
    _closed = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Tell what changes, from the event after `Last-Event-ID` or `after` on; without either, all
        that is current first."""
        path = self.text("project")
        try:
            last = self.request.headers.get("Last-Event-ID") or self.text("after")
            position = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
            root = await asyncio.to_thread(lambda: open_project(self.root, path).root)
        except StagebookError as error:
            return await self.answer(_raise(error))
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Accel-Buffering", "no")  # a proxy passes each event on at once
        with contextlib.suppress(StreamClosedError):
            await self.flush()
            await self._tell(self.feeds.of(root), position)
        return None

    def on_connection_close(self) -> None:
        """Stop telling."""
        self._closed = True
        super().on_connection_close()

    async def _tell(self, feed: Feed, position: int | None) -> None:
        definitions: str | None = None
        with feed.listening() as listener:
            while not self._closed:
                if not await listener.wait(ALIVE):
                    self.write(": alive\n\n")
                    await self.flush()
                    continue
                snapshot, error = feed.snapshot, feed.error
                if error is not None:
                    self.write(f"event: problem\ndata: {to_json(error)}\n\n")
                    await self.flush()
                if snapshot is None:
                    continue
                change = snapshot.since(position, definitions)
                if change is None:
                    continue
                position, definitions = change.seq, change.definitions
                self.write(f"id: {change.seq}\nevent: change\ndata: {to_json(change)}\n\n")
                await self.flush()


def _raise(error: StagebookError) -> Callable[[], Any]:
    def work() -> Any:
        raise error

    return work


_RUN = r"runs/(?P<run>[\w-]{1,80})"
ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("projects", ProjectsHandler),
    ("pipelines", PipelinesHandler),
    ("plan", PlanHandler),
    ("status", StatusHandler),
    ("runs", RunsHandler),
    (_RUN, RunHandler),
    (f"{_RUN}/events", EventsHandler),
    (f"{_RUN}/log", LogHandler),
    (f"{_RUN}/notebook", NotebookHandler),
    (f"{_RUN}/cancel", CancelHandler),
    (f"{_RUN}/resume", ResumeHandler),
    (r"processes/(?P<pid>\d{1,10})", ProcessHandler),
    ("stream", StreamHandler),
)


def routes(feeds: Feeds, processes: running.Processes) -> list[tuple[str, type[Handler], dict[str, Any]]]:
    """The routes as an extension hands them to the server, which puts its base URL before them."""
    shared = {"feeds": feeds, "processes": processes}
    return [(f"/stagebook/{path}", handler, shared) for path, handler in ROUTES]
