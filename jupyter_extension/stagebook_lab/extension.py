"""The extension of Jupyter Server."""

from __future__ import annotations

import asyncio
import os

from jupyter_core.paths import jupyter_path
from jupyter_server.extension.application import ExtensionApp

from stagebook_lab.handlers import ROUTES
from stagebook_lab.handling import Shared
from stagebook_lab.tooling import TOOL_ROUTES

FRONT_END = "@stagebook/lab"


class StagebookLab(ExtensionApp):
    """Adds the routes, and ends the threads with the server. Runs go on."""

    name = "stagebook_lab"
    open_browser = False

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.shared = Shared()
        routes = (*ROUTES, *TOOL_ROUTES)
        self.handlers.extend(
            (f"/stagebook/{path}", handler, {"shared": self.shared}) for path, handler in routes
        )
        if not any(os.path.isdir(os.path.join(path, FRONT_END)) for path in jupyter_path("labextensions")):
            self.log.warning(
                "Stagebook's panel was not built with this installation; in a checkout, run: "
                "python jupyter_extension/tools/front_end.py build link"
            )

    async def stop_extension(self) -> None:
        """End what belongs to the server."""
        self.shared.feeds.stop()
        await asyncio.to_thread(self.shared.servers.stop)
