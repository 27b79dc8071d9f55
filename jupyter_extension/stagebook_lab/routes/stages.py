"""Routes about a stage: why it runs, what it left in a run, and changes to it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from stagebook.errors import RunNotFound, UsageError
from stagebook.project import Project
from stagebook.runs.accept import accept
from stagebook.runs.datasets import Datasets
from stagebook.runs.drafting import write_draft
from stagebook.runs.kept import end_kernel, kept_kernels
from stagebook.runs.request import RunRequest
from stagebook_lab import wire
from stagebook_lab.params import pairs_of
from stagebook_lab.present import Paths
from stagebook_lab.queries.compare import changes_reply, why_reply
from stagebook_lab.queries.monitors import monitors_reply
from stagebook_lab.queries.runs import log_reply, notebook_reply
from stagebook_lab.routes.handler import RUN, Handler, executes, reads

_NOT_IN_A_NAME = re.compile(r"[^\w.-]")


class WhyHandler(Handler):
    """`GET why?project=&pipeline=&stage=&param=`."""

    @reads
    async def get(self) -> None:
        """The decision about a stage, and everything that it rests on."""
        request = RunRequest(pipeline=self.text("pipeline") or None, pairs=self.get_query_arguments("param"))
        await self.answer_about(lambda project, _: why_reply(project, request, self.text("stage")))


class MonitorsHandler(Handler):
    """`GET monitors?project=&pipeline=&stage=`."""

    @reads
    async def get(self) -> None:
        """The figures of a stage over the runs."""
        pipeline, stage = self.text("pipeline"), self.text("stage")
        await self.answer_about(lambda project, _: monitors_reply(project, pipeline, stage))


class LogHandler(Handler):
    """`GET runs/RUN/log?project=&stage=&attempt=&after=`."""

    @reads
    async def get(self, run: str) -> None:
        """A piece of what a stage printed."""

        def work(project: Project, _: Paths) -> wire.LogReply:
            found, after, attempts = (
                project.history.find(run),
                self.number("after", 0),
                self.services.attempts,
            )
            return log_reply(project, found, self.text("stage"), self.attempt, after, attempts)

        await self.answer_about(work)


class NotebookHandler(Handler):
    """`GET runs/RUN/notebook?project=&stage=&attempt=&seen=`."""

    @reads
    async def get(self, run: str) -> None:
        """The executed notebook of an attempt, also while it runs. With `seen`, the `modified` of the reply before,
        only if it was saved since."""

        def work(project: Project, _: Paths) -> wire.NotebookReply:
            found, seen, attempts = project.history.find(run), self.moment("seen"), self.services.attempts
            return notebook_reply(
                project, found, self.text("stage"), self.attempt, seen=seen, attempts=attempts
            )

        await self.answer_about(work)


class ChangesHandler(Handler):
    """`GET runs/RUN/changes?project=&stage=&attempt=`."""

    @reads
    async def get(self, run: str) -> None:
        """What a stage ran, compared with its notebook as it is now."""
        await self.answer_about(
            lambda project, paths: changes_reply(
                project, paths, project.history.find(run), self.text("stage"), self.attempt
            )
        )


class AcceptHandler(Handler):
    """`POST accept`."""

    @executes
    async def post(self) -> None:
        """Declare the outputs of stages good as they are."""
        asker = self.asker

        def work(project: Project, _: Paths, request: wire.AcceptRequest) -> wire.AcceptReply:
            asked = RunRequest(pipeline=request.pipeline, pairs=pairs_of(request.texts))
            accepted = accept(
                project.preparer, project.launcher, asked, request.stages, request.because, asker
            )
            return wire.AcceptReply(run=accepted.run, stages=accepted.stages)

        await self.post_about(wire.AcceptRequest, work)


class DraftHandler(Handler):
    """`POST contracts`."""

    @executes
    async def post(self) -> None:
        """Draft the contract of an output into a file, unless there is one."""

        def work(project: Project, paths: Paths, request: wire.DraftRequest) -> wire.DraftReply:
            datasets = Datasets([project.plan(request.pipeline)], project.preparer)
            path = write_draft(datasets.instances(request.dataset), project.root)
            return wire.DraftReply(path=paths.of(path))

        await self.post_about(wire.DraftRequest, work)


class KernelHandler(Handler):
    """`POST runs/RUN/kernel`."""

    @executes
    async def post(self, run: str) -> None:
        """Make the kernel that a failed stage left known to Jupyter Server, or end it."""
        manager: Any = self.kernel_manager
        folder: str | None = getattr(manager, "external_connection_dir", None)

        def work(project: Project, paths: Paths, request: wire.KernelRequest) -> wire.KernelReply:
            record = project.history.find(run)
            notebook = paths.of(project.history.stage(record, request.stage).notebook)
            name = _NOT_IN_A_NAME.sub("_", f"stagebook-{record.id}-{request.stage}") + ".json"
            if request.end:
                end_kernel(project.history, record, request.stage)
                if folder:
                    (Path(folder) / name).unlink(missing_ok=True)
                return wire.KernelReply(id="", notebook=notebook)
            file = _connection_file(project, record.id, request.stage)
            if not folder:
                msg = "this Jupyter Server takes no kernels that it did not start"
                raise UsageError(
                    msg, hint="start it with: stagebook lab, or --ServerApp.allow_external_kernels=True"
                )
            target = Path(folder) / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy2(file, target)
            return wire.KernelReply(id=str(target), notebook=notebook)

        def with_id(reply: wire.KernelReply) -> wire.KernelReply:
            """The reply with the id that the server gives to the connection file."""
            if not reply.id:
                return reply
            manager.list_kernel_ids()  # looks for new connection files
            ids = {str(path): name for name, path in manager.kernel_id_to_connection_file.items()}
            if reply.id not in ids:
                raise RunNotFound("Jupyter Server does not take the kernel")
            return wire.KernelReply(id=ids[reply.id], notebook=reply.notebook)

        await self.post_about(wire.KernelRequest, work, then=with_id)


def _connection_file(project: Project, run: str, stage: str) -> Path:
    for record, kept in kept_kernels(project.history):
        if (record.id, kept.id) == (run, stage) and kept.kernel:
            file = Path(kept.kernel["connection_file"])
            if file.is_file() and "key" in json.loads(file.read_bytes()):
                return file
    msg = f"the stage '{stage}' of the run {run} has no kernel that is kept"
    raise RunNotFound(msg, hint="run it with: stagebook run --keep-kernel")


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("why", WhyHandler),
    ("monitors", MonitorsHandler),
    (f"{RUN}/log", LogHandler),
    (f"{RUN}/notebook", NotebookHandler),
    (f"{RUN}/changes", ChangesHandler),
    (f"{RUN}/kernel", KernelHandler),
    ("accept", AcceptHandler),
    ("contracts", DraftHandler),
)
