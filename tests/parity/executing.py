"""Executes notebooks of the corpus with plain papermill and with Stagebook, and reads what became of each."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from building import ProjectBuilder
from commands import environment, start
from normalised import outputs_of, plain
from parity.corpus import NOTEBOOKS
from parity.notebook import written

PAPERMILL = "papermill"
_INJECTED = "injected-parameters"
WAYS: Mapping[str, tuple[str, bool]] = {
    "kernel": ("kernel", True),
    "kernel, unforked": ("kernel", False),
    "inprocess": ("inprocess", True),
}
"""Ways of Stagebook: the executor, and whether its stages are forked."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a notebook: `completed`, or the name of its exception or other cause; of each cell its source,
    count and outputs; and what is kept of widgets."""

    end: str
    cells: tuple[tuple[str, Any, list[Any]], ...]
    widgets: Any


def run_papermill(root: Path, names: list[str], processes: int = 2) -> dict[str, Done]:
    """Execute notebooks of the corpus below `root` with papermill, in so many processes at a time."""
    _write(ProjectBuilder(root), names)
    (root / "papermill").mkdir()
    running = []
    for at in range(processes):
        share = [(name, dict(NOTEBOOKS[name].values)) for name in names[at::processes]]
        listed = root / f"share{at}.json"
        listed.write_text(json.dumps({"root": str(root), "notebooks": share}), encoding="utf-8")
        program = str(Path(__file__).with_name("plain_papermill.py"))
        arguments = [sys.executable, "-W", "ignore", program, str(listed)]
        said = (root / f"said{at}.txt").open("wb")
        running.append(
            subprocess.Popen(arguments, cwd=root, env=_environment(root), stdout=said, stderr=said)
        )
        said.close()
    ends = [process.wait() for process in running]
    assert ends == [0] * processes, (root / "said0.txt").read_text(encoding="utf-8")
    ends = {name: json.loads((root / f"papermill/{name}.json").read_bytes()) for name in names}
    return {name: _done(end, root / f"papermill/{name}.ipynb", root) for name, end in ends.items()}


def run_stagebook(root: Path, names: list[str], way: str, jobs: int = 2) -> dict[str, Done]:
    """Execute notebooks of the corpus below `root` in one run of Stagebook."""
    executor, forks = WAYS[way]
    builder = ProjectBuilder(root)
    _write(builder, names)
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(forks).lower()}\n")
    stages = {
        name: {"notebook": f"notebooks/{name}.ipynb", "params": dict(NOTEBOOKS[name].values)}
        for name in names
    }
    text = yaml.safe_dump({"defaults": {"executor": executor}, "stages": stages}, width=10**6)
    builder.pipeline(text.replace("${", "$${"))
    said = root / "said.txt"
    with said.open("wb") as file:
        start(root, "run", "-k", "-j", str(jobs), env=_environment(root), stdout=file, stderr=file).wait()
    folders = list(root.glob(".stagebook/runs/*"))
    assert len(folders) == 1, said.read_text(encoding="utf-8")
    run, found = folders[0], {}
    for name in names:
        result = json.loads((run / name / "1/result.json").read_bytes())
        found[name] = _done(_end(result), run / name / "1/notebook.ipynb", root)
    return found


def _end(result: Mapping[str, Any]) -> str:
    if result.get("cause") is None:
        return "completed"
    return result["message"].partition(":")[0] if result["cause"] == "exception" else result["cause"]


def _write(builder: ProjectBuilder, names: list[str]) -> None:
    builder.root.mkdir(parents=True)
    for name in names:
        builder.file(f"notebooks/{name}.ipynb", written(NOTEBOOKS[name]))
        for path, text in NOTEBOOKS[name].files.items():
            builder.file(path, text)


def _environment(root: Path) -> dict[str, str]:
    """Without what says how wide a terminal is, or where to draw."""
    found = environment(IPYTHONDIR=str(root / "ipython"))
    return {name: value for name, value in found.items() if name not in {"COLUMNS", "LINES", "MPLBACKEND"}}


def _done(end: str, path: Path, root: Path) -> Done:
    text = path.read_text(encoding="utf-8") if path.exists() else '{"cells": [], "metadata": {}}'
    data = json.loads(text.replace(str(root), "<root>"))
    cells = [
        ("".join(cell["source"]), cell["execution_count"], outputs_of(cell))
        for cell in data["cells"]
        if cell["cell_type"] == "code" and _INJECTED not in cell["metadata"].get("tags", [])
    ]
    return Done(end=end, cells=tuple(cells), widgets=plain(data["metadata"].get("widgets")))
