"""The build hook of the wheel and of the sdist: both contain the built front end.

It is built where its sources changed, and only then asks for the tools. An editable install goes on
without it where it cannot be built, and says so. `STAGEBOOK_FRONT_END=skip` leaves it out.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "STAGEBOOK_FRONT_END"


def _front_end() -> ModuleType:
    path = Path(__file__).with_name("front_end.py")
    spec = importlib.util.spec_from_file_location("front_end", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FrontEndHook(BuildHookInterface[Any]):
    """Builds the front end and adds it to what is packed."""

    PLUGIN_NAME = "custom"

    @property
    def _skipped(self) -> bool:
        return os.environ.get(SKIP) == "skip"

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling."""
        return [] if self._skipped else list(_front_end().requirements())

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name the files."""
        front_end = _front_end()
        if self._skipped:
            return
        try:
            front_end.build()
        except front_end.FrontEndError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"JupyterLab will not show Stagebook: {error}")
            self.app.display_warning("Later: python jupyter_extension/tools/front_end.py build link")
            return
        if self.target_name == "wheel":
            source = f"jupyter_extension/{front_end.BUNDLE.name}"
            build_data["shared_data"][source] = front_end.INSTALLED
        else:
            build_data["artifacts"].append(f"jupyter_extension/{front_end.BUNDLE.name}/**")
