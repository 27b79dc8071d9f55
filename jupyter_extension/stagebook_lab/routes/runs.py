"""The routes under `/stagebook/` that show what is there, and run it."""

from __future__ import annotations

import asyncio
import contextlib

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from stagebook.errors import StagebookError
from stagebook.project import Given, Project
from stagebook.runs.accept import accept
from stagebook_lab import comparing, looking, running, wire
from stagebook_lab.convert import Paths, pipeline_info, plan_reply, run_info, to_json
from stagebook_lab.feed import Feed, Listener
from stagebook_lab.forms import pairs_of
from stagebook_lab.handling import Handler, authorized_to_execute, raising
from stagebook_lab.ledger import RUNS, Ledger
from stagebook_lab.notes import add_note
from stagebook_lab.projects import find_projects, open_project

ALIVE = 15.0  # seconds without news after which a stream shows that it is alive


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
            return wire.PipelinesReply(
                project=wire.ProjectInfo(path=paths.project, name=project.root.name),
                pipelines=tuple(pipeline_info(paths, project, key) for key in project.pipelines()),
            )

        await self.answer_about(work)


class PlanHandler(Handler):
    """`GET plan?project=&pipeline=&param=&stage=&start=&only=&skip=&force=&sweep=`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """What a run would do, stage by stage and why."""

        def words(name: str) -> tuple[str, ...]:
            return tuple(self.get_query_arguments(name))

        pairs = [text.partition("=") for text in words("param")]
        request = wire.RunRequest(
            pipeline=self.text("pipeline"),
            stages=words("stage"),
            start=words("start"),
            only=words("only"),
            skip=words("skip"),
            texts={name: text for name, _, text in pairs},
            force=self.text("force") == "1",
            sweep=self.text("sweep") == "1",
        )
        await self.answer_about(
            lambda project, paths: plan_reply(paths, running.order(project, request).plan), None, request
        )


class WhyHandler(Handler):
    """`GET why?project=&pipeline=&stage=&param=`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Everything that is known of the decision about a stage."""
        given = Given(pairs=tuple(self.get_query_arguments("param")))
        name = self.text("pipeline") or None
        await self.answer_about(
            lambda project, _: comparing.why_reply(project, name, self.text("stage"), given)
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

        def work(project: Project, _: Paths, request: wire.RunRequest) -> wire.ProcessReply:
            running.check(project, request)
            return self.begin(project, running.arguments(request))

        await self.post_about(wire.RunRequest, work)


class ProcessHandler(Handler):
    """`GET processes/PID?project=`."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        """What became of a process that was asked to run a pipeline."""
        await self.answer_about(lambda project, _: self.shared.processes.look(project, int(pid)))


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


class ChangesHandler(Handler):
    """`GET runs/RUN/changes?project=&stage=&attempt=`."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """What a stage ran, compared with its notebook as it is now."""

        def work(project: Project, paths: Paths) -> wire.ChangesReply:
            attempt = self.number("attempt", 0) or None
            return comparing.changes_reply(project, paths, project.find_run(run), self.text("stage"), attempt)

        await self.answer_about(work)


class CompareHandler(Handler):
    """`GET compare?project=&run=&run=`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Runs side by side."""
        names = self.get_query_arguments("run")
        await self.answer_about(lambda project, _: comparing.compare_reply(project, names))


class CancelHandler(Handler):
    """`POST runs/RUN/cancel`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self, run: str) -> None:
        """Ask a run to stop."""
        await self.post_about(
            wire.CancelRequest, lambda project, _, __: running.cancel(project, project.find_run(run))
        )


class ResumeHandler(Handler):
    """`POST runs/RUN/resume`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self, run: str) -> None:
        """Start what is left of a run, or only what failed and what depends on it."""

        def work(project: Project, _: Paths, request: wire.ResumeRequest) -> wire.ProcessReply:
            found = project.find_run(run)
            running.check_rest(project, found, keep=request.keep, failed_only=request.failed_only)
            words = ["retry" if request.failed_only else "resume", found.id]
            return self.begin(project, [*words, *(["--keep"] if request.keep else [])])

        await self.post_about(wire.ResumeRequest, work)


class NotesHandler(Handler):
    """`POST runs/RUN/notes`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self, run: str) -> None:
        """Say something of a run."""
        by = str(self.current_user.username)

        def work(project: Project, _: Paths, request: wire.NoteRequest) -> wire.Note:
            return add_note(project, project.find_run(run).id, request.kind, request.text, by)

        await self.post_about(wire.NoteRequest, work)


class AcceptHandler(Handler):
    """`POST accept`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self) -> None:
        """Declare the outputs of stages good as they are."""

        def work(project: Project, _: Paths, request: wire.AcceptRequest) -> wire.AcceptReply:
            given = Given(pairs=pairs_of(request.texts))
            done = accept(project, request.pipeline, request.stages, request.because, given)
            return wire.AcceptReply(run=done.run, stages=done.stages)

        await self.post_about(wire.AcceptRequest, work)


class StreamHandler(Handler):
    """`GET stream?project=&after=`, as server-sent events."""

    _track_activity = False  # a browser that only watches keeps no server alive
    _closed = False
    _listener: Listener | None = None

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
            return await self.answer(raising(error))
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Accel-Buffering", "no")  # a proxy passes each event on at once
        with contextlib.suppress(StreamClosedError):
            await self.flush()
            await self._tell(self.shared.feeds.of(root), position)
        return None

    def on_connection_close(self) -> None:
        """Stop telling."""
        self._closed = True
        if self._listener is not None:
            self._listener.wake()
        super().on_connection_close()

    def _is_gone(self) -> bool:
        return self._closed

    async def _tell(self, feed: Feed, position: int | None) -> None:
        definitions: str | None = None
        with feed.listening() as listener:
            self._listener = listener
            while not self._closed:
                if not await listener.wait(ALIVE):
                    self.write(": alive\n\n")
                    await self.flush()
                    continue
                if self._is_gone():  # meanwhile
                    return
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


_RUN = r"runs/(?P<run>[\w-]{1,80})"
ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("projects", ProjectsHandler),
    ("pipelines", PipelinesHandler),
    ("plan", PlanHandler),
    ("why", WhyHandler),
    ("compare", CompareHandler),
    ("accept", AcceptHandler),
    ("status", StatusHandler),
    ("runs", RunsHandler),
    (_RUN, RunHandler),
    (f"{_RUN}/events", EventsHandler),
    (f"{_RUN}/log", LogHandler),
    (f"{_RUN}/notebook", NotebookHandler),
    (f"{_RUN}/changes", ChangesHandler),
    (f"{_RUN}/notes", NotesHandler),
    (f"{_RUN}/cancel", CancelHandler),
    (f"{_RUN}/resume", ResumeHandler),
    (r"processes/(?P<pid>\d{1,10})", ProcessHandler),
    ("stream", StreamHandler),
)
