"""The files that cells are said to come from, `/tmp/ipykernel_…/….py`, which are not there.

For each frame of a traceback IPython asks `inspect` for the module of its file. For a file that belongs to none
`inspect` goes through all modules, every time: where two thousand were imported ahead, a deep recursion took minutes. This
module imports nothing of Stagebook (`stage_kernel`).
"""

from __future__ import annotations

import inspect
import os
from typing import Any


def begin(shell: Any) -> None:
    """Have `inspect` know the files of the cells of a shell as those of `__main__`."""
    name_of = shell.compile.get_code_name

    def get_code_name(*arguments: Any) -> Any:
        name = name_of(*arguments)
        known: dict[str, str] = getattr(inspect, "modulesbyfile", {})
        known[os.path.normcase(os.path.abspath(name))] = "__main__"  # as `inspect.getmodule` has it
        return name

    shell.compile.get_code_name = get_code_name
