"""Pipelines whose results are there already: chains of small pandas notebooks that come together at the
end. Unlike a workload (workloads.py), a mesh is executed again and again where it lies."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import HERE, Environment
from benchmarks.workloads import write_notebook

DRIVER = HERE / "drive_cells.py"
HELPERS = "shared_steps.py"
HELPERS_SOURCE = '''\
"""What the notebooks of this project share."""

import pandas as pd


def rows(number, part, x):
    values = [(n * 7 + number * 13 + part) % 101 + 1000 * x for n in range(200)]
    return pd.DataFrame({"key": [n % 10 for n in range(200)], "value": values})


def read(path):
    return pd.read_parquet(path)


def write(frame, path):
    frame.to_parquet(path)
'''

_SOURCE = ("source = ''", "target = ''")
_READ = ("import shared_steps", "frame = shared_steps.read(source)")
_WRITE = ("shared_steps.write(frame, target)",)

# name → parameters, cells. All but the last are the steps of a chain, in this order.
NOTEBOOKS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "load": (
        ("number = 0", "part = 0", "x = 1", "target = ''"),
        ("import shared_steps", "frame = shared_steps.rows(number, part, x)", *_WRITE),
    ),
    "clean": (_SOURCE, (*_READ, "frame = frame.dropna().drop_duplicates()", *_WRITE)),
    "enrich": (_SOURCE, (*_READ, 'frame["half"] = frame["value"] / 2', *_WRITE)),
    "pick": (_SOURCE, (*_READ, 'frame = frame[frame["key"] != 3].reset_index(drop=True)', *_WRITE)),
    "rank": (_SOURCE, (*_READ, 'frame["rank"] = frame["value"].rank()', *_WRITE)),
    "smooth": (
        _SOURCE,
        (*_READ, 'frame["smooth"] = frame["value"].rolling(5, min_periods=1).mean()', *_WRITE),
    ),
    "scale": (_SOURCE, (*_READ, 'frame["scaled"] = frame["value"] / frame["value"].max()', *_WRITE)),
    "sort": (_SOURCE, (*_READ, 'frame = frame.sort_values(["key", "value"], ignore_index=True)', *_WRITE)),
    "total": (_SOURCE, (*_READ, 'frame = frame.groupby("key", as_index=False).sum()', *_WRITE)),
    "combine": (
        ("sources = []", "target = ''"),
        (
            "import pandas as pd\nimport shared_steps",
            "frames = [shared_steps.read(path) for path in sources]",
            'frame = pd.concat(frames).groupby("key", as_index=False).sum()',
            *_WRITE,
        ),
    ),
}
CHAIN = tuple(NOTEBOOKS)[:-1]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A stage: a notebook on what other stages wrote. `number` is a parameter of the first of a chain,
    which have no sources."""

    name: str
    notebook: str
    sources: Sequence[str] = ()
    number: int = 0

    @property
    def gathers(self) -> bool:
        """Whether its notebook takes a list of sources."""
        return self.notebook == "combine"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Stages, each `parts` times: as often as that there is the whole of them, side by side."""

    nodes: Sequence[Node]
    parts: int = 1

    def __len__(self) -> int:
        return len(self.nodes) * self.parts

    @property
    def last(self) -> str:
        """The stage that all others lead to."""
        return self.nodes[-1].name

    def target(self, name: str, part: object) -> str:
        """The file that a stage writes. `part` may be what stands for it in a contender's language."""
        return f"data/{name}-{part}.parquet" if self.parts > 1 else f"data/{name}.parquet"

    def parameters(self, node: Node, part: object, x: object) -> dict[str, Any]:
        """What the notebook of a stage gets."""
        values: dict[str, Any] = {}
        if node.gathers:
            values["sources"] = [self.target(name, part) for name in node.sources]
        elif node.sources:
            values["source"] = self.target(node.sources[0], part)
        else:
            values = {"number": node.number, "part": part, "x": x}
        return values | {"target": self.target(node.name, part)}

    def instances(self) -> Iterator[tuple[Node, int]]:
        """All stages, each after those that it needs."""
        return ((node, part) for part in range(self.parts) for node in self.nodes)

    def write(self, folder: Path, declared: Sequence[str] = ()) -> None:
        """The notebooks, and the module that they import, which are the same for all contenders, but for
        parameters that one of them asks for."""
        for name in {node.notebook for node in self.nodes}:
            parameters, cells = NOTEBOOKS[name]
            write_notebook(folder / "notebooks" / f"{name}.ipynb", cells, (*declared, *parameters))
        (folder / HELPERS).write_text(HELPERS_SOURCE, encoding="utf-8")


def mesh(chains: int, length: int, parts: int = 1) -> Mesh:
    """`chains` times `length` + 1 stages: the ends of neighbouring chains are combined, and then all of
    these. Each begins with `length` of the steps of `CHAIN`."""
    nodes = []
    for chain in range(chains):
        before: tuple[str, ...] = ()
        for notebook in CHAIN[:length]:
            name = f"{notebook}{chain}"
            nodes.append(Node(name=name, notebook=notebook, sources=before, number=chain))
            before = (name,)
    ends = [f"{CHAIN[length - 1]}{chain}" for chain in range(chains)]
    pairs = [(f"pair{at}", (ends[at], ends[at + 1])) for at in range(chains - 1)]
    nodes += [Node(name=name, notebook="combine", sources=sources) for name, sources in pairs]
    nodes.append(Node(name="report", notebook="combine", sources=[name for name, _ in pairs]))
    return Mesh(nodes=tuple(nodes), parts=parts)


class Outputs:
    """What the stages of a mesh write, by the value of the parameter `x`; made once for all contenders."""

    def __init__(self, place: Path, environment: Environment, home: Path) -> None:
        self._place = place
        self._environment = environment
        self._home = home
        self._made: dict[tuple[int, int], Path] = {}
        self._meshes: list[Mesh] = []

    def of(self, wanted: Mesh, x: int) -> Path:
        """A folder with the files of `data/`. Raises `subprocess.CalledProcessError`."""
        if wanted not in self._meshes:
            self._meshes.append(wanted)
        key = (self._meshes.index(wanted), x)
        if key not in self._made:
            folder = self._place / "-".join(map(str, key))
            (folder / "data").mkdir(parents=True)
            wanted.write(folder)
            steps = [
                {
                    "notebook": f"notebooks/{node.notebook}.ipynb",
                    "parameters": wanted.parameters(node, part, x),
                }
                for node, part in wanted.instances()
            ]
            (folder / "cells.json").write_text(json.dumps(steps), encoding="utf-8")
            variables = self._environment.variables(self._home)
            subprocess.run(
                [str(self._environment.python), str(DRIVER)], cwd=folder, env=variables, check=True
            )
            self._made[key] = folder / "data"
        return self._made[key]

    def put(self, wanted: Mesh, x: int, folder: Path) -> None:
        """Copy them into a project."""
        shutil.copytree(self.of(wanted, x), folder / "data", dirs_exist_ok=True)

    def differing(self, wanted: Mesh, x: int, folder: Path) -> list[str]:
        """The names of the files in a project that are not what they should be."""
        found = folder / "data"
        return [
            file.name
            for file in sorted(self.of(wanted, x).iterdir())
            if not (found / file.name).is_file() or _digest(found / file.name) != _digest(file)
        ]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
