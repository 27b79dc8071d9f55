"""Routes about schedules: what fires, what came of it, pausing, resuming and triggering."""

from __future__ import annotations

from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.present import Paths
from stagebook_lab.queries.schedules import act, schedules_reply
from stagebook_lab.routes.handler import Handler, executes, reads


class SchedulesHandler(Handler):
    """`GET schedules?project=`, and `POST schedules`."""

    @reads
    async def get(self) -> None:
        """The schedules of all pipelines and environments, and the scheduler that leads."""
        self.only_watch()
        await self.answer_about(schedules_reply)

    @executes
    async def post(self) -> None:
        """Pause, resume or trigger a schedule."""
        asker, processes = self.asker, self.services.processes

        def work(project: Project, _: Paths, request: wire.ScheduleRequest) -> wire.ScheduleReply:
            return act(project, request, asker, processes)

        await self.post_about(wire.ScheduleRequest, work)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (("schedules", SchedulesHandler),)
