"""What all routes have in common: login, authorization, work in a thread, and refusals."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
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
from stagebook.project import Project
from stagebook_lab import running, wire
from stagebook_lab.convert import Paths, problems_of, to_json
from stagebook_lab.feed import Feeds
from stagebook_lab.forms import field_errors
from stagebook_lab.projects import open_project
from stagebook_lab.reading import read
from stagebook_lab.serving import Servers

RESOURCE = "stagebook"  # what an authorizer is asked about
MAX_BODY = 1 << 20  # bytes of a request
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def authorized_to_execute(method: F) -> F:
    """Ask the authorizer for `execute`, because notebooks run then."""
    return cast("F", authorized("execute")(method))


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    """What all requests share."""

    feeds: Feeds = dataclasses.field(default_factory=Feeds)
    processes: running.Processes = dataclasses.field(default_factory=running.Processes)
    servers: Servers = dataclasses.field(default_factory=Servers)


class Handler(APIHandler):
    """What all routes have in common."""

    auth_resource = RESOURCE
    shared: Shared

    def initialize(self, shared: Shared) -> None:
        """Take what all requests share."""
        self.shared = shared

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

    async def answer(
        self, work: Callable[[], Any], status: int = 200, then: Callable[[Any], Any] | None = None
    ) -> None:
        """Do the work in a thread, and answer with what comes of it, or with why it was refused. What only
        the server's own thread may do comes `then`."""
        try:
            done = await asyncio.to_thread(work)
            reply = await asyncio.to_thread(to_json, then(done) if then else done)
        except StagebookError as error:
            status, reply = _status_of(error), to_json(self.refusal(error))
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            message = f"{error.strerror or error}{where}"
            status, reply = 400, to_json(wire.ErrorReply(message=message, kind=type(error).__name__))
        self.set_status(status)
        with contextlib.suppress(StreamClosedError):  # nobody waits for it any more
            await self.finish(reply)

    async def answer_about(
        self,
        work: Callable[[Project, Paths], Any],
        project: str | None = None,
        request: wire.RunRequest | None = None,
        then: Callable[[Any], Any] | None = None,
    ) -> None:
        """As `answer`, about the project that the request names. It is opened for this thread alone.
        Mistakes in the parameters of a `request` are told one by one."""
        path = self.text("project") if project is None else project

        def in_thread() -> Any:
            with open_project(self.root, path) as opened:
                paths = Paths(self.root, opened)
                try:
                    return work(opened, paths)
                except PipelineInvalid as error:
                    problems = problems_of(paths, tuple(error.problems))
                    fields = _fields(opened, request) if request else {}
                    raise _Invalid(error, problems, fields) from error

        await self.answer(in_thread, then=then)

    def begin(self, project: Project, words: Sequence[str]) -> wire.ProcessReply:
        """Start a command that runs something."""
        return self.shared.processes.look(project, self.shared.processes.start(project, words))

    def refusal(self, error: StagebookError) -> wire.ErrorReply:
        """What the command line would say."""
        cause = error.cause if isinstance(error, _Invalid) else error
        return wire.ErrorReply(
            message=error.message,
            hint=error.hint,
            kind=type(cause).__name__,
            problems=error.problems if isinstance(error, _Invalid) else (),
            fields=error.fields if isinstance(error, _Invalid) else {},
        )

    async def post_about(
        self,
        kind: type[T],
        work: Callable[[Project, Paths, T], Any],
        then: Callable[[Any], Any] | None = None,
    ) -> None:
        """As `answer_about`, with the request of a POST, which names the project."""
        try:
            request = self.body(kind)
        except UsageError as error:
            return await self.answer(raising(error))
        run = request if isinstance(request, wire.RunRequest) else None
        path: str = getattr(request, "project", "")
        return await self.answer_about(lambda project, paths: work(project, paths, request), path, run, then)


class _Invalid(StagebookError):
    """Mistakes, with the paths that the browser knows."""

    def __init__(
        self, cause: PipelineInvalid, problems: tuple[wire.Problem, ...], fields: dict[str, str]
    ) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.cause = cause
        self.problems = problems
        self.fields = fields


def _fields(project: Project, request: wire.RunRequest) -> dict[str, str]:
    """What is wrong with the parameters of a request."""
    pipeline = project.load(request.pipeline or None).pipeline
    return field_errors(pipeline, request.texts, sweep=request.sweep)


def raising(error: StagebookError) -> Callable[[], Any]:
    """Work that comes to nothing but this error."""

    def work() -> Any:
        raise error

    return work


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
