"""The route of the beginnings of files."""

from __future__ import annotations

from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.launch import plan, points_of, run_request
from stagebook_lab.present import Paths
from stagebook_lab.queries.files import file_preview
from stagebook_lab.routes.handler import Handler, reads


class FileHandler(Handler):
    """`GET file?project=&pipeline=&path=&param=&sweep=&interval=`."""

    @reads
    async def get(self) -> None:
        """The beginning of a file that a stage reads or writes, with the parameters that are given."""
        pairs = [text.partition("=") for text in self.get_query_arguments("param")]
        request = wire.RunRequest(
            pipeline=self.text("pipeline"),
            texts={name: text for name, _, text in pairs},
            sweep=self.text("sweep") == "1",
            interval=self.text("interval"),
        )
        path = self.text("path")

        def work(project: Project, _: Paths) -> wire.FilePreview:
            planned = plan(project, points_of(project, run_request(request)))
            return file_preview(project, planned, path)

        await self.answer_about(work, request)


ROUTES: tuple[tuple[str, type[Handler]], ...] = (("file", FileHandler),)
