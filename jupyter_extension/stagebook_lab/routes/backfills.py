"""Routes about backfills: planning one, starting it, how far it is, cancelling and resuming it."""

from __future__ import annotations

from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.present import Paths
from stagebook_lab.queries.backfills import (
    backfills_reply,
    check,
    check_idle,
    find_backfill,
    plan_reply,
    words_of,
)
from stagebook_lab.routes.handler import Handler, executes, reads

BACKFILL = r"backfills/(?P<run>[\w-]{1,80})"


class BackfillsHandler(Handler):
    """`GET backfills?project=&pipeline=&environment=`, and `POST backfills`."""

    @reads
    async def get(self) -> None:
        """The latest backfills of a pipeline, and how far they are."""
        self.only_watch()
        pipeline, environment = self.text("pipeline"), self.environment
        await self.answer_about(lambda project, _: backfills_reply(project, pipeline, environment))

    @executes
    async def post(self) -> None:
        """Start a backfill, in a process of its own."""
        asker = self.asker

        def work(project: Project, _: Paths, request: wire.BackfillRequest) -> wire.ProcessReply:
            check(request)
            check_idle(project, request.pipeline, request.environment)
            command, *words = words_of(request)
            return self.services.processes.start(
                project, [command, "--yes", *words], asker, environment=request.environment
            )

        await self.post_about(wire.BackfillRequest, work)


class BackfillPlanHandler(Handler):
    """`POST backfills/plan`."""

    @executes
    async def post(self) -> None:
        """What a backfill would do; in an environment its release is laid out for that."""

        def work(project: Project, _: Paths, request: wire.BackfillRequest) -> wire.BackfillPlanReply:
            return plan_reply(project, request)

        await self.post_about(wire.BackfillRequest, work)


class BackfillHandler(Handler):
    """`POST backfills/RUN`."""

    @executes
    async def post(self, run: str) -> None:
        """Cancel a backfill, or go on with what is left of it or failed in it."""
        asker = self.asker

        def work(project: Project, _: Paths, request: wire.BackfillActionRequest) -> wire.ProcessReply:
            found = find_backfill(project, request.environment, run)
            words = [request.action, found.id]
            return self.services.processes.start(project, words, asker, environment=request.environment)

        await self.post_about(wire.BackfillActionRequest, work)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("backfills", BackfillsHandler),
    ("backfills/plan", BackfillPlanHandler),
    (BACKFILL, BackfillHandler),
)
