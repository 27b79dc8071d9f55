"""The extension of Jupyter Server."""

from __future__ import annotations

import os

from jupyter_core.paths import jupyter_path
from jupyter_server.extension.application import ExtensionApp

from stagebook_lab.feed import Feeds
from stagebook_lab.handlers import routes
from stagebook_lab.running import Processes

FRONT_END = "@stagebook/lab"


class StagebookLab(ExtensionApp):
    """Adds the routes, and ends the threads with the server. Runs go on."""

    name = "stagebook_lab"
    open_browser = False

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.feeds = Feeds()
        self.handlers.extend(routes(self.feeds, Processes()))
        if not any(os.path.isdir(os.path.join(path, FRONT_END)) for path in jupyter_path("labextensions")):
            self.log.warning(
                "Stagebook's panel was not built with this installation; in a checkout, run: "
                "python jupyter_extension/tools/front_end.py build link"
            )

    async def stop_extension(self) -> None:
        """End what belongs to the server."""
        self.feeds.stop()
