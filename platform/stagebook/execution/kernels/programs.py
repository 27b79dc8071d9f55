"""The programs that a notebook finds: `!python`, `!pip` and subprocesses use the environment of its kernel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

_NAMES = ("python", "python3", "pip", "pip3")


def beside_interpreter(env: Mapping[str, str], interpreter: str) -> dict[str, str]:
    """The environment with the folder of an interpreter first in `PATH`, unless its programs are found anyway. Of
    something that is no Python, and on Windows, it stays as it is."""
    path = env.get("PATH", os.defpath)
    program = shutil.which(interpreter, path=path)
    if program is None or os.name != "posix" or not os.path.basename(program).startswith(("python", "pypy")):
        return dict(env)
    folder = os.path.dirname(os.path.abspath(program))
    there = [name for name in _NAMES if os.access(os.path.join(folder, name), os.X_OK)]
    found = {name: shutil.which(name, path=path) for name in there}
    if all(place is not None and os.path.dirname(place) == folder for place in found.values()):
        return dict(env)
    return {**env, "PATH": f"{folder}{os.pathsep}{path}"}
