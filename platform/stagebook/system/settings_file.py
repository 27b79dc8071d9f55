"""The files with the settings of a project, as plain data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from stagebook.errors import PipelineInvalid, Problem

FILE = "stagebook.toml"


def read_raw(root: Path) -> tuple[dict[str, Any], str]:
    """The settings of the project at `root`, and the file that they are in: `stagebook.toml`, or `[tool.stagebook]` in
    `pyproject.toml`. Raises `PipelineInvalid` where that is no TOML."""
    for name in (FILE, "pyproject.toml"):
        data = read_toml(root, name)
        if data is None:
            continue
        if (found := settings_in(data, name)) is not None:
            return found, name
    return {}, FILE


def settings_in(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The settings in one of the files that may have them, by its name and its content; `None` where it has none."""
    if name == FILE:
        return data
    tool = data.get("tool")
    return tool.get("stagebook") if isinstance(tool, dict) else None


def read_toml(root: Path, name: str) -> dict[str, Any] | None:
    """A file of the project as plain data; `None` where there is none. Raises `PipelineInvalid`."""
    path = root / name
    if not path.is_file():
        return None
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PipelineInvalid([Problem(path=name, message="not UTF-8 text")]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PipelineInvalid([Problem(path=name, message=f"not readable as TOML: {error}")]) from error
    except OSError as error:
        problem = Problem(path=name, message=f"cannot be read: {error.strerror}")
        raise PipelineInvalid([problem]) from error
