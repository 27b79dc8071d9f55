"""Routes about runs: listing, comparing, starting and stopping them."""

from __future__ import annotations

from stagebook.project import Project
from stagebook.runs.cancel import cancel
from stagebook_lab import wire
from stagebook_lab.launch import check, check_rest, rest_arguments, run_request
from stagebook_lab.mlflow_server import mlflow_reply
from stagebook_lab.notes import add_note
from stagebook_lab.present import Paths
from stagebook_lab.queries.compare import compare_reply
from stagebook_lab.queries.runs import events_reply, run_reply, runs_reply
from stagebook_lab.routes.handler import RUN, Handler, executes, reads

RUNS = 50  # by default


class RunsHandler(Handler):
    """`GET runs?project=&pipeline=&limit=` and `POST runs`."""

    @reads
    async def get(self) -> None:
        """The latest runs with their results, and the latest points of each sweep among them."""
        name, results = self.text("pipeline") or None, self.services.results
        await self.answer_about(
            lambda project, _: runs_reply(project, name, self.number("limit", RUNS), results)
        )

    @executes
    async def post(self) -> None:
        """Start a run. It is planned first: where that finds mistakes, nothing starts."""
        asker = self.asker

        def work(project: Project, _: Paths, request: wire.RunRequest) -> wire.ProcessReply:
            asked = run_request(request)
            check(project, asked)
            return self.services.processes.start(project, asked.to_argv(), asker)

        await self.post_about(wire.RunRequest, work)


class ProcessHandler(Handler):
    """`GET processes/PID?project=`."""

    @reads
    async def get(self, pid: str) -> None:
        """What became of a process that this server started."""
        await self.answer_about(lambda project, _: self.services.processes.look(project, int(pid)))


class RunHandler(Handler):
    """`GET runs/RUN?project=`."""

    @reads
    async def get(self, run: str) -> None:
        """A run with its stages."""
        await self.answer_about(lambda project, _: run_reply(project, project.history.find(run)))


class EventsHandler(Handler):
    """`GET runs/RUN/events?project=&after=`."""

    @reads
    async def get(self, run: str) -> None:
        """The events of a run after a number."""
        await self.answer_about(
            lambda project, _: events_reply(project, project.history.find(run), self.number("after", 0))
        )


class CompareHandler(Handler):
    """`GET compare?project=&run=&run=`."""

    @reads
    async def get(self) -> None:
        """Runs side by side."""
        names = self.get_query_arguments("run")
        await self.answer_about(lambda project, _: compare_reply(project, names))


class CancelHandler(Handler):
    """`POST runs/RUN/cancel`."""

    @executes
    async def post(self, run: str) -> None:
        """Ask the process of a run to stop; asked again, it ends at once."""
        asker = self.asker

        def work(project: Project, _: Paths, __: wire.CancelRequest) -> wire.CancelReply:
            found = project.history.find(run)
            return wire.CancelReply(run=found.id, pid=cancel(project.history, found, asker.user).pid)

        await self.post_about(wire.CancelRequest, work)


class ResumeHandler(Handler):
    """`POST runs/RUN/resume`."""

    @executes
    async def post(self, run: str) -> None:
        """Start what is left of a run, or only what failed and what depends on it."""
        asker = self.asker

        def work(project: Project, _: Paths, request: wire.ResumeRequest) -> wire.ProcessReply:
            found = project.history.find(run)
            check_rest(project, found, request)
            return self.services.processes.start(project, rest_arguments(found.id, request), asker)

        await self.post_about(wire.ResumeRequest, work)


class NotesHandler(Handler):
    """`POST runs/RUN/notes`."""

    @executes
    async def post(self, run: str) -> None:
        """Add a note to a run, or acknowledge its failure."""
        by = self.asker.user

        def work(project: Project, _: Paths, request: wire.NoteRequest) -> wire.Note:
            return add_note(project, project.history.find(run).id, request, by)

        await self.post_about(wire.NoteRequest, work)


class MlflowHandler(Handler):
    """`POST mlflow`."""

    @executes
    async def post(self) -> None:
        """Start MLflow's pages if they are not up, and say where they show the runs."""

        def work(project: Project, _: Paths, request: wire.MlflowRequest) -> wire.MlflowReply:
            runs = [project.history.find(name) for name in request.runs]
            return mlflow_reply(project, runs, request, self.services.mlflow.url(project))

        await self.post_about(wire.MlflowRequest, work)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("runs", RunsHandler),
    (RUN, RunHandler),
    (f"{RUN}/events", EventsHandler),
    (f"{RUN}/notes", NotesHandler),
    (f"{RUN}/cancel", CancelHandler),
    (f"{RUN}/resume", ResumeHandler),
    (r"processes/(?P<pid>\d{1,10})", ProcessHandler),
    ("compare", CompareHandler),
    ("mlflow", MlflowHandler),
)
