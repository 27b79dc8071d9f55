"""What all routes have in common: login, authorization, work in a thread, and refusals."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from pydantic import TypeAdapter, ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from stagebook import errors
from stagebook.project import Project
from stagebook.runs.origin import user_name
from stagebook.system.this_process import Asker
from stagebook.workspace.environments import DEV
from stagebook_lab import wire
from stagebook_lab.feed.watch import Feeds
from stagebook_lab.launch import Processes
from stagebook_lab.mlflow_server import MlflowServers
from stagebook_lab.params import field_errors, interval_error
from stagebook_lab.present import Paths, error_reply, problems_of, to_json
from stagebook_lab.projects import open_project
from stagebook_lab.queries.results import Results
from stagebook_lab.queries.runs import Attempts

RUN = r"runs/(?P<run>[\w-]{1,80})"  # the routes of a run
RESOURCE = "stagebook"  # the name that an authorizer is asked about
_RANDOM = re.compile(r"[0-9a-f]{32}")  # what Jupyter Server calls somebody without a name
MAX_BODY = 1 << 20  # bytes of a request


class Request(Protocol):
    """A request of `wire`: it names its project."""

    @property
    def project(self) -> str:
        """The path of the project below the server's root."""


R = TypeVar("R", bound=Request)
F = TypeVar("F", bound=Callable[..., Any])


def reads(method: F) -> F:
    """Refuse who is not logged in, or may not read: every method of a route has this, or `executes`."""
    return cast("F", web.authenticated(authorized(method)))


def executes(method: F) -> F:
    """Refuse who is not logged in, or may not execute: the route runs notebooks or writes files."""
    return cast("F", web.authenticated(authorized("execute")(method)))


@dataclasses.dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the server and is shared by all requests."""

    feeds: Feeds = dataclasses.field(default_factory=Feeds)
    processes: Processes = dataclasses.field(default_factory=Processes)
    mlflow: MlflowServers = dataclasses.field(default_factory=MlflowServers)
    attempts: Attempts = dataclasses.field(default_factory=Attempts)
    results: Results = dataclasses.field(default_factory=Results)


class Handler(APIHandler):
    """The base of all routes, as Jupyter Server asks for one."""

    auth_resource = RESOURCE
    services: Services

    def initialize(self, services: Services) -> None:
        """Take the shared services; Tornado calls this for each request."""
        self.services = services

    @property
    def root(self) -> Path:
        """The folder that the server was started in."""
        assert self.serverapp is not None
        return Path(self.serverapp.root_dir).resolve()

    @property
    def asker(self) -> Asker:
        """The person who is logged in, by the name that JupyterLab has. Whoever comes with the server's token gets a name
        by chance from Jupyter Server: that is the user whom the server belongs to."""
        user = self.current_user
        name = str(user.display_name or user.name or user.username)
        is_by_chance = _RANDOM.fullmatch(str(user.username)) and name.startswith("Anonymous ")
        return Asker(user=user_name() if is_by_chance else name, program="JupyterLab")

    def text(self, name: str) -> str:
        """An argument of the URL; empty where it is not given."""
        return str(self.get_query_argument(name, ""))

    def number(self, name: str, default: int) -> int:
        """An argument of the URL that is a whole number from 0 on.

        Raises:
            UsageError: it is something else.
        """
        text = self.text(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise errors.UsageError(f"'{name}' has to be a number, not '{text}'")
        return int(text)

    def moment(self, name: str) -> float | None:
        """An argument of the URL that is a time in seconds since the epoch; `None` where it is not given.

        Raises:
            UsageError: it is something else.
        """
        text = self.text(name)
        try:
            return float(text) if text else None
        except ValueError:
            raise errors.UsageError(f"'{name}' has to be a time in seconds, not '{text}'") from None

    @property
    def environment(self) -> str:
        """The argument `environment` of the URL; by default the working tree."""
        return self.text("environment") or DEV

    @property
    def attempt(self) -> int | None:
        """The argument `attempt` of the URL; `None` for the latest one. Raises as `number`."""
        return self.number("attempt", 0) or None

    def only_watch(self) -> None:
        """A request that a page repeats by itself: a browser that only watches keeps no server alive."""
        self._track_activity = False

    async def answer(self, work: Callable[[], Any], then: Callable[[Any], Any] | None = None) -> None:
        """Do `work` in a thread, and send its result or the refusal that it raised. `then` turns the result
        into the reply on the server's own thread."""
        try:
            result = await asyncio.to_thread(work)
            text = await asyncio.to_thread(to_json, then(result) if then else result)
        except _Refused as refused:
            await self._send(400, to_json(refused.reply))
        except (errors.StagebookError, OSError) as error:
            await self.refuse(error)
        else:
            await self._send(200, text)

    async def answer_about(
        self, work: Callable[[Project, Paths], Any], request: wire.RunRequest | None = None
    ) -> None:
        """As `answer`, about the project that the URL names. It is opened for this thread alone. With a
        `request`, a refusal says what is wrong with each of its parameters."""
        path = self.text("project")
        await self.answer(lambda: self._about(path, work, request))

    async def post_about(
        self,
        kind: type[R],
        work: Callable[[Project, Paths, R], Any],
        then: Callable[[Any], Any] | None = None,
    ) -> None:
        """As `answer`, about the project that the body of a POST names. The body is a `kind`."""

        def in_thread() -> Any:
            request = parse_request(kind, self.request.body)
            run = request if isinstance(request, wire.RunRequest) else None
            return self._about(request.project, lambda project, paths: work(project, paths, request), run)

        await self.answer(in_thread, then)

    async def refuse(self, error: errors.StagebookError | OSError) -> None:
        """Send why a request is refused, in the words of the command line."""
        await self._send(_status_of(error), to_json(error_reply(error)))

    def _about(
        self, path: str, work: Callable[[Project, Paths], Any], request: wire.RunRequest | None
    ) -> Any:
        with open_project(self.root, path) as project:
            paths = Paths(self.root, project)
            try:
                return work(project, paths)
            except errors.PipelineInvalid as error:
                fields = _field_errors(project, request, error.problems) if request else {}
                reply = error_reply(error, problems=problems_of(paths, error.problems), fields=fields)
                raise _Refused(reply) from error
            except errors.UsageError as error:
                if request and (fields := _field_errors(project, request)):
                    raise _Refused(error_reply(error, fields=fields)) from error
                raise

    async def _send(self, status: int, text: str) -> None:
        self.set_status(status)
        with contextlib.suppress(StreamClosedError):  # the browser did not wait for the reply
            await self.finish(text)


def parse_request(kind: type[R], body: bytes) -> R:
    """The request in the body of a POST, with every value checked against its annotation.

    Raises:
        UsageError: the body is too large, is no JSON object, lacks a field, or has a field that is unknown
            or of the wrong type.
    """
    if len(body) > MAX_BODY:
        raise errors.UsageError(f"the request is larger than {MAX_BODY >> 20} MB")
    try:
        return cast("R", _adapter(kind).validate_json(body or b"{}"))
    except ValidationError as error:
        raise errors.UsageError(_mistake(error)) from error


@functools.cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "json_invalid":
            return "the request is not JSON"
        case "dataclass_type":
            return "the request is not a JSON object"
        case "missing":
            return f"the request lacks '{field}'"
        case "unexpected_keyword_argument":
            return f"the request has an unknown field '{field}'"
    return f"'{field}' of the request is wrong: {first['msg'].lower()}"


class _Refused(Exception):
    """Mistakes in a pipeline, with paths and fields as the browser knows them."""

    def __init__(self, reply: wire.ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def _field_errors(
    project: Project, request: wire.RunRequest, problems: Sequence[errors.Problem] = ()
) -> dict[str, str]:
    """The mistakes in the fields of the form for a run, of which `problems` are known."""
    try:
        pipeline = project.catalog.load(request.pipeline or None).pipeline
    except errors.PipelineInvalid:  # the file is broken as a whole: the refusal lists its problems
        return {}
    found = field_errors(pipeline, request.texts, sweep=request.sweep)
    return found | interval_error(pipeline, request.interval, problems)


def _status_of(error: errors.StagebookError | OSError) -> int:
    match error:
        case errors.ProjectNotFound() | errors.PipelineNotFound() | errors.RunNotFound():
            return 404
        case errors.PipelineBusy():
            return 409
        case errors.JournalUnreadable():
            return 503
        case _:
            return 400
