"""The extension of Jupyter Server."""

from __future__ import annotations

import asyncio
import os

from jupyter_core.paths import jupyter_path
from jupyter_server.extension.application import ExtensionApp

from stagebook_lab.routes import ROUTES
from stagebook_lab.routes.handler import Services

FRONT_END = "@stagebook/lab"


class StagebookLab(ExtensionApp):
    """Adds the routes, and ends with the server what the server started, but for runs."""

    name = "stagebook_lab"
    open_browser = False

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.services = Services()
        self.handlers.extend(
            (f"/stagebook/{path}", handler, {"services": self.services}) for path, handler in ROUTES
        )
        if not any(os.path.isdir(os.path.join(path, FRONT_END)) for path in jupyter_path("labextensions")):
            self.log.warning(
                "Stagebook's panel was not built with this installation; in a checkout, run: "
                "python jupyter_extension/tools/front_end.py build link"
            )

    async def stop_extension(self) -> None:
        """End the threads that read journals, and MLflow's servers."""
        self.services.feeds.stop()
        await asyncio.to_thread(self.services.mlflow.stop)
