"""Routes about environments: what they show, deployments and rollbacks, differences, checks of a change."""

from __future__ import annotations

from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.present import Paths
from stagebook_lab.queries.environments import (
    difference_page,
    environment_reply,
    environments_reply,
    preview_reply,
    report_page,
    words_of,
)
from stagebook_lab.routes.handler import Handler, executes, reads

NAME = r"environments/(?P<name>[a-z0-9][a-z0-9_-]{0,39})"


class EnvironmentsHandler(Handler):
    """`GET environments?project=`, and `POST environments`."""

    @reads
    async def get(self) -> None:
        """The environments of a project."""
        await self.answer_about(lambda project, _: environments_reply(project))

    @executes
    async def post(self) -> None:
        """Promote, propose, approve, reject, roll back, or check a change, in a process of its own."""
        asker = self.asker

        def work(project: Project, _: Paths, request: wire.EnvironmentRequest) -> wire.ProcessReply:
            return self.services.processes.start(project, words_of(project, request), asker)

        await self.post_about(wire.EnvironmentRequest, work)


class EnvironmentHandler(Handler):
    """`GET environments/NAME?project=`."""

    @reads
    async def get(self, name: str) -> None:
        """One environment, with its versions and datasets."""
        await self.answer_about(lambda project, _: environment_reply(project, name))


class PreviewHandler(Handler):
    """`POST preview`."""

    @executes
    async def post(self) -> None:
        """What a deployment would do: a release is made of the working tree for that."""

        def work(project: Project, _: Paths, request: wire.PreviewRequest) -> wire.PreviewReply:
            return preview_reply(project, request)

        await self.post_about(wire.PreviewRequest, work)


class DifferenceHandler(Handler):
    """`GET difference?project=&before=&after=`."""

    @reads
    async def get(self) -> None:
        """What differs between two sides, as a page."""
        before, after = self.text("before"), self.text("after")
        await self.answer_about(lambda project, _: difference_page(project, before, after))


class ReportHandler(Handler):
    """`GET report?project=`."""

    @reads
    async def get(self) -> None:
        """The report of the check that was asked for last."""
        await self.answer_about(lambda project, _: report_page(project))


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("environments", EnvironmentsHandler),
    (NAME, EnvironmentHandler),
    ("preview", PreviewHandler),
    ("difference", DifferenceHandler),
    ("report", ReportHandler),
)
