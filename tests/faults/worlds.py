"""Random projects, and random edits of them, for the differential test.

A `World` is a model of a project. It is rendered into files, of which only those that differ are
written, so that stats change as they do by hand. Its notebooks put all that they get, import, run and
read into what they write; so a result that should have been made anew cannot go unnoticed.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import random
import zlib
from typing import Any

USES = {
    "pkg": "from helpers import scale\nseen.append(scale(n))",
    "deep": "import helpers.deep.leaf as leaf\nseen.append(leaf.FACTOR)",
    "cond": "try:\n    from helpers import fast as impl\nexcept ImportError:\n    from helpers import slow as impl\nseen.append(impl.NAME)",
    "lazy": "if n > 2:\n    import extra\n    seen.append(extra.VALUE)",
    "named": "import importlib\nseen.append(importlib.import_module('helpers.plugin').VALUE)",
    "shadow": "import tuning\nseen.append(tuning.VALUE)",
    "space": "from space import thing\nseen.append(thing.VALUE)",
    "star": "from helpers.stars import *\nseen.append(ALPHA)",
    "run": "%run scripts/setup.py\nseen.append(SETUP)",
    "exec": "exec(Path('scripts/more.py').read_text())\nseen.append(MORE)",
    "env": "seen.append(os.environ.get('DIFF_A', 'none'))",
    "lib": "import difflab\nseen.append(difflab.VERSION)",
    "path": "import sys\nsys.path.insert(0, 'vendor')\nimport vendored\nseen.append(vendored.VALUE)",
}

# Modules and scripts, with the number that an edit changes as @.
MODULES = {
    "helpers/__init__.py": "from .base import scale\nZERO = @\n",
    "helpers/base.py": "from .deep.leaf import FACTOR\nfrom . import tools as t\n\n\ndef scale(x):\n    return (x or 0) * FACTOR + t.SHIFT + @\n",
    "helpers/tools.py": "SHIFT = @\n",
    "helpers/deep/__init__.py": "",
    "helpers/deep/leaf.py": "from ..constants import BASE\nFACTOR = BASE + @\n",
    "helpers/constants.py": "BASE = @\n",
    "helpers/fast.py": "NAME = 'fast @'\n",
    "helpers/slow.py": "NAME = 'slow @'\n",
    "helpers/plugin.py": "from helpers.constants import BASE\nVALUE = BASE * 10 + @\n",
    "helpers/stars.py": "__all__ = ['ALPHA']\nALPHA = 'alpha @'\n",
    "extra.py": "def value():\n    from helpers import tools\n    return tools.SHIFT + @\n\n\nVALUE = value()\n",
    "tuning.py": "VALUE = 'root @'\n",
    "space/thing.py": "VALUE = 'space @'\n",
    "scripts/setup.py": "import helpers.constants\nimport beside\nSETUP = [helpers.constants.BASE, beside.VALUE, @]\n",
    "scripts/beside.py": "VALUE = @\n",
    "scripts/more.py": "MORE = @\n",
    "vendor/vendored.py": "VALUE = 'vendored @'\n",
}

# What each of the uses leads to.
LEADS_TO = {
    "pkg": ["helpers/__init__.py", "helpers/base.py", "helpers/tools.py", "helpers/deep/leaf.py", "helpers/constants.py"],
    "deep": ["helpers/deep/leaf.py", "helpers/constants.py"],
    "cond": ["helpers/fast.py", "helpers/slow.py"],
    "lazy": ["extra.py", "helpers/tools.py"],
    "named": ["helpers/plugin.py", "helpers/constants.py"],
    "shadow": ["tuning.py", "notebooks/tuning.py", "tuning/__init__.py"],
    "space": ["space/thing.py", "notebooks/space/__init__.py"],
    "star": ["helpers/stars.py"],
    "run": ["scripts/setup.py", "scripts/beside.py", "helpers/constants.py"],
    "exec": ["scripts/more.py"],
    "path": ["vendor/vendored.py", "vendored.py"],
}  # fmt: skip

# Files that take the place of others by where they are.
SHADOWS = {
    "notebooks/tuning.py": "VALUE = 'beside the notebook @'\n",
    "notebooks/extra.py": "VALUE = 'extra beside @'\n",
    "space/__init__.py": "NOTHING = @\n",
    "notebooks/space/__init__.py": "class thing:\n    VALUE = 'class @'\n",
    "tuning/__init__.py": "VALUE = 'a package @'\n",
    "helpers/fast/__init__.py": "NAME = 'a fast package @'\n",
    "difflab.py": "VERSION = 'local @'\n",
    "vendored.py": "VALUE = 'not vendored @'\n",
    "scripts/helpers.py": "raise ImportError('of the script @')\n",
}

# What may go: notebooks that need it fail then, or take another.
DELETABLE = ("helpers/fast.py", "extra.py", "tuning.py", "vendor/vendored.py", "helpers/plugin.py")

READ = """
def place(path):
    return Path(os.environ["OUTSIDE"], path[4:]) if path.startswith("db:/") else Path(path)


def read(path):
    p = place(path)
    if p.is_dir():
        found = sorted(f for f in p.rglob("*") if f.is_file())
        return [[f.relative_to(p).as_posix(), f.read_text()] for f in found]
    return p.read_text()


for item in (src, more):
    items = [item] if isinstance(item, str) else item or []
    seen.append([type(item).__name__, [read(p) for p in items]])
"""

WRITE = """
for path in [table] if table else []:
    place(path).write_text("half")  # what fails from here on leaves it so
1 // FAILS
value = hashlib.sha256(json.dumps(seen).encode()).hexdigest()
shown = int(value, 16) % COARSE if COARSE else value
for path, extra in ((out, ""), (side, "side")):
    if not path:
        continue
    target = Path(path)
    if FOLDER:
        (target / "inner").mkdir(parents=True)
        (target / "a.txt").write_text(f"{shown}{extra}\\n")
        (target / "inner" / "b.txt").write_text("" if FOLDER == 2 else f"{shown}")
    else:
        target.write_text("" if COARSE == 1 else f"{shown}{extra}\\n")
if table:
    place(table).write_text(f"{shown}")
"""

GLUE = """
import scrapbook as sb
sb.glue("count", int(value, 16) % 4)
sb.glue("items", [f"i{k}" for k in range(1 + int(value, 16) % 3)])
"""


@dataclasses.dataclass(kw_only=True)
class Notebook:
    """A notebook: what it uses, a number in its code, and how it looks."""

    path: str
    salt: int
    uses: list[str]
    coarse: int = 0  # how many different outputs there may be; 0: any number
    folder: int = 0  # it writes folders; 2: with an empty file
    fails: bool = False
    look: int = 0
    notes: int = 0
    format: int = 0

    def text(self) -> str:
        """The file."""
        cells = [_cell("code", "n = 1\nmode = 'a'\nopts = None\nsrc = None\nmore = None\nout = ''\nside = ''\ntable = ''", self, ["parameters"])]  # fmt: skip
        head = f"import hashlib, json, os\nfrom pathlib import Path\nSALT = {self.salt}\nCOARSE = {self.coarse}\nFOLDER = {self.folder}\nFAILS = {0 if self.fails else 1}\nseen = [SALT, n, mode, opts]"
        sources = [head, READ.strip(), *(USES[name] for name in self.uses), WRITE.strip(), GLUE.strip()]
        for at, source in enumerate(sources):
            if at < self.notes:
                cells.append(_cell("markdown", f"note {self.notes} of {at}", self))
            cells.append(_cell("code", _looking(source, self.look, at), self))
        if self.look % 4 == 3:
            cells.append(_cell("code", "# nothing but a comment", self))
        if self.path.endswith(".py"):
            return "\n\n".join(_percent(cell) for cell in cells) + "\n"
        spec = {"name": "python3", "display_name": f"Python {self.format}", "language": "python"}
        data = {
            "cells": cells,
            "metadata": {"kernelspec": spec, "edited": self.format},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        return json.dumps(data, indent=self.format % 3, sort_keys=self.format % 2 == 1)


def _percent(cell: dict[str, Any]) -> str:
    """A cell in a script."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return f"# %% [markdown]\n# {source}"
    head = '# %% tags=["parameters"]' if cell["metadata"] else "# %%"
    return f"{head}\n{source}"


def _cell(kind: str, source: str, notebook: Notebook, tags: list[str] | None = None) -> dict[str, Any]:
    lines: Any = source if notebook.format % 2 else source.splitlines(keepends=True)
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"c{zlib.crc32(f'{notebook.path} {kind} {source}'.encode())}",
        "metadata": {"tags": tags} if tags else {},
        "source": lines,
    }
    if kind == "code":
        output = {"output_type": "stream", "name": "stdout", "text": f"{notebook.format}"}
        cell |= {"execution_count": notebook.format or None, "outputs": [output] if notebook.format else []}
    return cell


def _looking(source: str, look: int, at: int) -> str:
    """The same code, written in another way."""
    if "%run" in source:
        return source + (f"\n# look {look}" if look else "")
    match (look + at) % 4 if look else 0:
        case 1:
            return f"# look {look}\n\n{source}   # and so on"
        case 2:
            return ast.unparse(ast.parse(source))
        case 3:
            return source.replace("\n", "\n\n").replace("'", '"') if '"' not in source else source + "\n\n"
        case _:
            return source


@dataclasses.dataclass(kw_only=True)
class Stage:
    """A stage. `kind` is plain, matrix or foreach; `inputs` are references to outputs or files."""

    name: str
    notebook: str
    kind: str = "plain"
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    inputs: dict[str, Any] = dataclasses.field(default_factory=dict)
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    over: str = ""  # the stage whose scrap a foreach goes over
    when: str = ""
    cache: bool = True

    def data(self, notebooks: dict[str, Notebook]) -> dict[str, Any]:
        """The stage as the pipeline file has it."""
        made: dict[str, Any] = {"notebook": notebooks[self.notebook].path}
        if self.kind == "matrix":
            made["matrix"] = {"k": "${params.ks}"}
        if self.kind == "foreach":
            made["foreach"] = f"${{stages.{self.over}.scraps.items}}"
        for key in ("params", "inputs", "when"):
            if value := getattr(self, key):
                made[key] = value
        made["outputs"] = {
            key: {"path": path, "kind": "external"} if key == "table" else path
            for key, path in self.outputs.items()
        }
        if "env" in notebooks[self.notebook].uses:
            made["env"] = ["DIFF_A"]
        if not self.cache:
            made["cache"] = False
        return made


class World:
    """A project as a model. `numbers` are those in the modules, by path; what has none is not there."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.numbers: dict[str, int] = dict.fromkeys(MODULES, 1)
        self.comments: dict[str, int] = {}
        self.files = {f"data/{name}.txt": f"{name} 1\n" for name in "abc"}
        self.files |= {"data/dir/x.txt": "x", "data/dir/sub/y.txt": "y"}
        self.params: dict[str, Any] = {"n": 2, "ks": [1, 2], "opts": {"b": 1, "a": [1, 2]}}
        self.given: dict[str, Any] = {}
        self.env: dict[str, str | None] = {"DIFF_A": "one"}
        self.library = 1
        self.store = True
        self.notebooks: dict[str, Notebook] = {}
        self.stages: list[Stage] = []
        self._made = 0
        for _ in range(chance.randint(3, 7)):
            self.add_stage()

    def snapshot(self) -> dict[str, Any]:
        """What to come back to."""
        kept = {name: value for name, value in vars(self).items() if name not in {"chance", "_made"}}
        return copy.deepcopy(kept)

    def go_back(self, snapshot: dict[str, Any]) -> None:
        """Be again as it was."""
        vars(self).update(copy.deepcopy(snapshot))

    # -- files ------------------------------------------------------------------------------------

    def render(self) -> dict[str, str]:
        """All files of the project but the outputs, by path."""
        found = dict(self.files)
        for path, number in self.numbers.items():
            text = (MODULES | SHADOWS)[path].replace("@", str(number))
            found[path] = text + "".join(f"# comment {at}\n" for at in range(self.comments.get(path, 0)))
        found |= {notebook.path: notebook.text() for notebook in self.notebooks.values()}
        stages = {stage.name: stage.data(self.notebooks) for stage in self.stages}
        pipeline = {"params": self.params, "defaults": {"executor": "inprocess"}, "stages": stages}
        found["pipelines/p.yaml"] = json.dumps(pipeline, indent=1)
        enabled = json.dumps(self.store)
        found["stagebook.toml"] = f"[tracking]\nenabled = false\n[store]\nenabled = {enabled}\n"
        return found

    def output_paths(self) -> list[str]:
        """Where stages write, as far as the model knows it."""
        ks = self.given.get("ks", self.params["ks"])
        points = {"plain": [""], "matrix": [str(k) for k in ks], "foreach": ["i0", "i1"]}
        return [
            path.replace("${matrix.k}", point).replace("${item}", point)
            for stage in self.stages
            for key, path in stage.outputs.items()
            if key != "table"
            for point in points[stage.kind]
        ]

    def modules_in_use(self) -> list[str]:
        """The modules and scripts that notebooks lead to."""
        used = {use for stage in self.stages for use in self.notebooks[stage.notebook].uses}
        return sorted({path for use in used for path in LEADS_TO.get(use, ()) if path in self.numbers})

    # -- stages -----------------------------------------------------------------------------------

    def add_stage(self) -> str:
        """A new stage, somewhere; its name."""
        chance = self.chance
        self._made += 1
        at = chance.randint(max(0, len(self.stages) - 2), len(self.stages))
        before = self.stages[:at]
        name = f"s{self._made}"
        kind = chance.choice(["plain", "plain", "matrix", "foreach"]) if before else "plain"
        plain = [stage for stage in before if stage.kind == "plain" and not stage.when]
        if kind == "foreach" and not plain:
            kind = "plain"
        stage = Stage(name=name, notebook=self._notebook_for(name), kind=kind)
        if kind == "foreach":
            stage.over = chance.choice(plain).name
        mark = {"plain": "", "matrix": "-${matrix.k}", "foreach": "-${item}"}[kind]
        stage.outputs = {"out": f"out/{name}{mark}.txt"}
        if chance.random() < 0.25:
            stage.outputs["side"] = f"out/deep/{name}{mark}.bin"
        if chance.random() < 0.25:
            stage.outputs["table"] = f"db:/{name}{mark}"
        stage.params = self._params(kind, plain)
        self._inputs(stage, before)
        if chance.random() < 0.15:
            stage.when = chance.choice(["${params.n != 3}", *(f"${{stages.{s.name}.scraps.count < 3}}" for s in plain[:1])])  # fmt: skip
        self.stages.insert(at, stage)
        return name

    def _notebook_for(self, name: str) -> str:
        chance = self.chance
        if self.notebooks and chance.random() < 0.2:
            return chance.choice(list(self.notebooks))
        self.notebooks[name] = Notebook(
            path=f"notebooks/{name}.{'py' if chance.random() < 0.15 else 'ipynb'}",
            salt=chance.randint(1, 9),
            uses=chance.sample(list(USES), chance.randint(0, 6)),
            coarse=chance.choice([0, 0, 1, 2, 3]),
            folder=chance.choice([0, 0, 0, 1, 2]),
        )
        return name

    def _params(self, kind: str, plain: list[Stage]) -> dict[str, Any]:
        chance = self.chance
        made: dict[str, Any] = {}
        if kind == "matrix":
            made["n"] = "${matrix.k}"
        elif plain and chance.random() < 0.3:
            made["n"] = f"${{stages.{chance.choice(plain).name}.scraps.count}}"
        elif chance.random() < 0.5:
            made["n"] = "${params.n}"
        if kind == "foreach":
            made["mode"] = "${item}"
        elif chance.random() < 0.4:
            made["mode"] = chance.choice(["b", "c"])
        if chance.random() < 0.5:
            made["opts"] = "${params.opts}"
        return made

    def _inputs(self, stage: Stage, before: list[Stage]) -> None:
        chance = self.chance
        known = [f"{other.name}.{key}" for other in before for key in other.outputs]
        known += [f"{other.name}@${{matrix.k}}.out" for other in before if other.kind == "matrix" and stage.kind == "matrix" and "out" in other.outputs]  # fmt: skip
        files = [path for path in self.files if "/dir/" not in path] + ["data/dir"]
        for name in ("src", "more"):
            if chance.random() < 0.75:
                refs = chance.sample(known or files, min(len(known or files), chance.choice([1, 1, 2])))
                if chance.random() < 0.4:
                    refs.append(chance.choice(files))
                stage.inputs[name] = refs[0] if len(refs) == 1 and chance.random() < 0.8 else refs

    def followers(self, name: str) -> list[Stage]:
        """The stages that name a stage."""
        return [stage for stage in self.stages if stage.name != name and name in _mentions(stage)]

    def outside(self, name: str) -> bool:
        """Whether a stage, or one that it depends on, writes to something outside of the project. What was
        there is there no more once another stage, or the same by another name, wrote it."""
        stage = next(stage for stage in self.stages if stage.name == name)
        names = _mentions(stage) & {other.name for other in self.stages}
        return "table" in stage.outputs or any(self.outside(other) for other in names - {name})

    def rename(self, old: str, new: str) -> None:
        """Call a stage otherwise, everywhere."""
        for stage in self.stages:
            stage.name = new if stage.name == old else stage.name
            stage.over = new if stage.over == old else stage.over
            stage.when = stage.when.replace(f"stages.{old}.", f"stages.{new}.")
            stage.params = json.loads(json.dumps(stage.params).replace(f"stages.{old}.", f"stages.{new}."))
            stage.inputs = json.loads(json.dumps(stage.inputs).replace(f'"{old}.', f'"{new}.').replace(f'"{old}@', f'"{new}@'))  # fmt: skip


def _mentions(stage: Stage) -> set[str]:
    text = json.dumps([stage.inputs, stage.params, stage.when]).replace("@", ".").replace('"', " ")
    words = text.replace("${stages.", " ").replace(",", " ").replace("[", " ").split()
    return {word.split(".")[0] for word in words} | {stage.over}
