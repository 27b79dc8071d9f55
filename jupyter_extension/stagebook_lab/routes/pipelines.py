"""Routes about projects and their pipelines."""

from __future__ import annotations

import time

from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.feed.files import files_of
from stagebook_lab.launch import plan, points_of, run_request
from stagebook_lab.present import Paths, pipeline_info, plan_reply
from stagebook_lab.projects import projects_reply
from stagebook_lab.queries.workload import workload
from stagebook_lab.routes.handler import Handler, reads


class ProjectsHandler(Handler):
    """`GET projects`."""

    @reads
    async def get(self) -> None:
        """The projects below the server's root."""
        await self.answer(lambda: projects_reply(self.root))


class PipelinesHandler(Handler):
    """`GET pipelines?project=`."""

    @reads
    async def get(self) -> None:
        """The pipelines of a project, with the mistakes that their files alone show."""

        def work(project: Project, paths: Paths) -> wire.PipelinesReply:
            return wire.PipelinesReply(
                project=wire.ProjectInfo(path=paths.project, name=project.root.name),
                pipelines=tuple(pipeline_info(paths, project, key) for key in project.catalog.names()),
            )

        await self.answer_about(work)


class PlanHandler(Handler):
    """`GET plan?project=&pipeline=&param=&stage=&start=&only=&skip=&force=&sweep=&interval=&workload=`."""

    @reads
    async def get(self) -> None:
        """What a run would do, stage by stage and why; and with `workload=1` how much that is."""

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
            interval=self.text("interval"),
        )
        asks_how_much = self.text("workload") == "1"

        def work(project: Project, paths: Paths) -> wire.PlanReply:
            looked = time.time_ns()
            points = points_of(project, run_request(request))
            planned = plan(project, points)
            self.services.feeds.of(project.root).plans.note(
                planned.pipeline, files_of(project, planned, looked)
            )
            found = workload(project, points, planned) if asks_how_much else None
            return plan_reply(paths, project, planned, found)

        await self.answer_about(work, request)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("projects", ProjectsHandler),
    ("pipelines", PipelinesHandler),
    ("plan", PlanHandler),
)
