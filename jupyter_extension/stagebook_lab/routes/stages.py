"""The routes under `/stagebook/` for what belongs to a pipeline: MLflow, kept kernels, new stages."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from tornado import web

from stagebook.errors import RunNotFound, UsageError
from stagebook.notebook.add_stage import add_stage
from stagebook.project import Project
from stagebook_lab import wire
from stagebook_lab.convert import Paths
from stagebook_lab.handling import Handler, authorized_to_execute
from stagebook_lab.serving import mlflow_reply

_UNFIT = re.compile(r"[^\w.-]")


class MlflowHandler(Handler):
    """`POST mlflow`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self) -> None:
        """Start MLflow's pages if need be, and say where they show a run."""

        def work(project: Project, _: Paths, request: wire.MlflowRequest) -> wire.MlflowReply:
            runs = [project.find_run(name) for name in request.runs]
            return mlflow_reply(project, runs, request, self.shared.servers.url(project))

        await self.post_about(wire.MlflowRequest, work)


class KernelHandler(Handler):
    """`POST runs/RUN/kernel`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self, run: str) -> None:
        """Make the kernel that a failed stage left known to Jupyter Server, or end it."""
        manager: Any = self.kernel_manager
        folder = getattr(manager, "external_connection_dir", None)

        def work(project: Project, paths: Paths, request: wire.KernelRequest) -> wire.KernelReply:
            record = project.find_run(run)
            notebook = paths.of(project.stage_of(record, request.stage).notebook)
            name = _UNFIT.sub("_", f"stagebook-{record.id}-{request.stage}") + ".json"
            if request.end:
                project.end_kernel(record, request.stage)
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

        def known(reply: Any) -> Any:
            """The id that the server gives to the connection file; it looks on its own thread."""
            if not reply.id:
                return reply
            manager.list_kernel_ids()
            ids = {str(path): name for name, path in manager.kernel_id_to_connection_file.items()}
            if reply.id not in ids:
                msg = "Jupyter Server does not take the kernel"
                raise RunNotFound(msg)
            return wire.KernelReply(id=ids[reply.id], notebook=reply.notebook)

        await self.post_about(wire.KernelRequest, work, then=known)


def _connection_file(project: Project, run: str, stage: str) -> Path:
    for record, kept in project.kept_kernels():
        if (record.id, kept.id) == (run, stage) and kept.kernel:
            file = Path(kept.kernel["connection_file"])
            if file.is_file() and "key" in json.loads(file.read_bytes()):
                return file
    msg = f"the stage '{stage}' of the run {run} has no kernel that is kept"
    raise RunNotFound(msg, hint="run it with: stagebook run --keep-kernel")


class StagesHandler(Handler):
    """`POST stages`."""

    @web.authenticated
    @authorized_to_execute
    async def post(self) -> None:
        """Add a stage to a pipeline file."""

        def work(project: Project, paths: Paths, request: wire.NewStageRequest) -> wire.NewStageReply:
            added = add_stage(project, request.pipeline, request.name, paths.inside(request.notebook))
            return wire.NewStageReply(
                path=paths.of(added.path), line=added.line, notebook=paths.of(added.notebook)
            )

        await self.post_about(wire.NewStageRequest, work)


TOOL_ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("mlflow", MlflowHandler),
    (r"runs/(?P<run>[\w-]{1,80})/kernel", KernelHandler),
    ("stages", StagesHandler),
)
