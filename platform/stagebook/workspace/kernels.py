"""Which program a Jupyter kernel is, as far as results depend on it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PYTHON = "python3"
_NAMES = {"python", "python3", f"python3.{sys.version_info.minor}"}  # this interpreter, in a specification


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel. `facts` tell it from others, and its versions from each other; `prefix` is the environment
    that a Python other than this one imports from."""

    facts: Mapping[str, str]
    prefix: Path | None = None


def this_python() -> Kernel:
    """This interpreter: the kernel `python3`, as it is almost everywhere."""
    return Kernel(facts={"kernel": PYTHON, **_version()})


def find_kernel(name: str, env: Mapping[str, str]) -> Kernel:
    """The kernel of a name, as Jupyter would find it with this environment."""
    found = _specification(name)
    if found is None:
        return this_python() if name == PYTHON else Kernel(facts={"kernel": name, "spec": "unknown"})
    text, spec = found
    given = str(spec["argv"][0])
    program = shutil.which(given, path=env.get("PATH")) or given
    if given in _NAMES or program == sys.executable:
        facts = {"kernel": name, **_version(), "spec": hashlib.sha256(text).hexdigest()}
        return this_python() if name == PYTHON else Kernel(facts=facts)
    prefix = Path(program).parent.parent if spec.get("language") == "python" else None
    mark = hashlib.sha256(text + _stamp(program)).hexdigest()
    return Kernel(facts={"kernel": name, "spec": mark}, prefix=prefix)


def kernel_folders() -> list[Path]:
    """The folders in which Jupyter looks for kernels, in order."""
    from jupyter_core.paths import jupyter_path  # noqa: PLC0415 - few commands ask for kernels

    return [Path(folder) for folder in jupyter_path("kernels")]


def profile_files() -> list[str]:
    """The files of the IPython profile that a kernel would run at its start and that hold some code."""
    place = Path(os.environ.get("IPYTHONDIR") or Path.home() / ".ipython") / "profile_default"
    found = [place / "ipython_config.py", place / "ipython_kernel_config.py"]
    with contextlib.suppress(OSError):
        found += sorted(path for path in (place / "startup").iterdir() if path.suffix in {".py", ".ipy"})
    return [str(path) for path in found if _holds_code(path)]


def _holds_code(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(
        line.strip() and not line.lstrip().startswith("#") for line in lines if "get_config()" not in line
    )


def kernel_languages() -> dict[str, str]:
    """The kernels that Jupyter finds: name → language in lower case, empty where it is not known."""
    found: dict[str, str] = {}
    for folder in kernel_folders():
        for place in sorted(folder.glob("*/kernel.json")):
            name = place.parent.name.lower()
            if place.is_file() and name not in found:  # the first one is taken
                spec: Any = None
                with contextlib.suppress(OSError, ValueError, RecursionError):
                    spec = json.loads(place.read_bytes())
                language = spec.get("language") if isinstance(spec, dict) else None
                found[name] = language.lower() if isinstance(language, str) else ""
    return {**found, PYTHON: found.get(PYTHON) or "python"}


def _version() -> dict[str, str]:
    return {"python": f"{platform.python_implementation()} {platform.python_version()}"}


def _specification(name: str) -> tuple[bytes, dict[str, Any]] | None:
    """The `kernel.json` that Jupyter takes, as it is and as data."""
    for folder in kernel_folders():
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
            text = (folder / name.lower() / "kernel.json").read_bytes()
            spec = json.loads(text)
            if spec["argv"][0]:
                return text, spec
    return None


def _stamp(program: str) -> bytes:
    """What tells a program from another version of it, without running it."""
    with contextlib.suppress(OSError):
        real = os.path.realpath(program)
        found = os.stat(real)
        return f"{real} {found.st_size} {found.st_mtime_ns}".encode("utf-8", "surrogateescape")
    return b""
