"""Who is measured on results that are there already. Each is brought into a state in which all is done,
once and unmeasured; then the same command is executed again and again where it lies.

A contender that runs a stage where there is nothing to run, or leaves other files than it should, has
failed: no time is taken of it.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from benchmarks.contenders import Sample
from benchmarks.environments import HERE, Environment
from benchmarks.measure import LIMIT, Measured, MeasuredProcessFailed, run
from benchmarks.meshes import HELPERS, Mesh, Node, Outputs

PLOOMBER_DRIVER = HERE / "drive_ploomber.py"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a contender works: its project, which stays for all rounds, and a home; the pipeline, with
    what its stages write; and the seconds that a measured command may take."""

    folder: Path
    home: Path
    mesh: Mesh
    outputs: Outputs
    limit: float = LIMIT
    watch_memory: bool = False

    def measure(self, command: Sequence[str], variables: dict[str, str]) -> Measured:
        """Execute a command in the project; `log` has what it says. Raises `MeasuredProcessFailed`."""
        return run(
            command,
            cwd=self.folder,
            env=variables,
            log=self.folder / "log.txt",
            watch_memory=self.watch_memory,
            limit=self.limit,
        )

    def said(self) -> str:
        """What the latest command said."""
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The end of that."""
        return self.said()[-2000:]

    def hold(self, x: int, before: object, after: object) -> None:
        """See that nothing ran, by the traces that running leaves, and that all outputs are those of `x`.
        Raises `MeasuredProcessFailed`."""
        if before != after:
            raise MeasuredProcessFailed("it ran stages that were done before", self.tail())
        if differing := self.outputs.differing(self.mesh, x, self.folder):
            raise MeasuredProcessFailed(f"{len(differing)} outputs are not as they should be", self.tail())


class Reuser(Protocol):
    """One way to keep results."""

    @property
    def name(self) -> str:
        """How it is called in the tables."""
        ...

    def bring_up(self, ground: Ground, values: Sequence[int]) -> None:
        """Make a project in which all stages are done, for each of these values of the parameter `x`; with
        no value, one in which none is."""
        ...

    def again(self, ground: Ground, x: int) -> Sample:
        """Ask for all stages with this value, which is to run none. Raises `MeasuredProcessFailed`."""
        ...

    def plan(self, ground: Ground) -> Sample:
        """Ask what would be done where nothing is. Raises `MeasuredProcessFailed`."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dvc:
    """`dvc repro`, of stages that call papermill. `dvc commit -f` tells it that the outputs which are
    there are those of its stages: it hashes them, keeps them, and notes the runs as if it had run them."""

    name: str
    environment: Environment
    papermill: Environment

    def bring_up(self, ground: Ground, values: Sequence[int]) -> None:
        """`dvc.yaml`; without git, which DVC would have to ask as well."""
        mesh, folder = ground.mesh, ground.folder
        mesh.write(folder)
        (folder / "executed").mkdir()
        self._call(ground, "init", "--quiet", "--no-scm")
        self._call(ground, "config", "core.check_update", "false")
        _write_yaml(
            folder / "dvc.yaml", {"stages": {node.name: self._stage(mesh, node) for node in mesh.nodes}}
        )
        self._write_value(ground, 1)
        for x in values:
            self._write_value(ground, x)
            ground.outputs.put(mesh, x, folder)
            self._call(ground, "commit", "--quiet", "--force")

    def again(self, ground: Ground, x: int) -> Sample:
        """`dvc repro`."""
        self._write_value(ground, x)
        before = _executed(ground)
        measured = self._call(ground, "repro")
        ground.hold(x, before, _executed(ground))
        return Sample(measured=measured)

    def plan(self, ground: Ground) -> Sample:
        """`dvc status`: `dvc repro --dry` fails where what a stage reads is not there yet."""
        return Sample(measured=self._call(ground, "status"))

    def _stage(self, mesh: Mesh, node: Node) -> dict[str, Any]:
        part = "${item.part}" if mesh.parts > 1 else 0
        stage: dict[str, Any] = {"matrix": {"part": list(range(mesh.parts))}} if mesh.parts > 1 else {}
        sources = [mesh.target(name, part) for name in node.sources]
        return stage | {
            "cmd": _papermill(mesh, node, part, "${x}"),
            "deps": [f"notebooks/{node.notebook}.ipynb", HELPERS, *sources],
            "outs": [mesh.target(node.name, part)],
        }

    @staticmethod
    def _write_value(ground: Ground, x: int) -> None:
        _write_yaml(ground.folder / "params.yaml", {"x": x})

    def _call(self, ground: Ground, *words: str) -> Measured:
        variables = _with_papermill(self.environment, self.papermill, ground.home)
        variables |= {"DVC_NO_ANALYTICS": "1", "DVC_STUDIO_OFFLINE": "1"}
        variables["DVC_SITE_CACHE_DIR"] = str(ground.home / "dvc")
        return ground.measure([str(self.environment.python.with_name("dvc")), *words], variables)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snakemake:
    """`snakemake`, with rules that call papermill. `snakemake --touch --forceall` tells it that the outputs
    which are there are those of its rules: it notes their provenance as if it had made them.

    It has results of earlier parameters where rules and command say so (`cached`). To fill that cache it
    has to run; what it runs then is no papermill, but a script that puts the wanted file in place.
    """

    name: str
    environment: Environment
    papermill: Environment
    cached: bool = False

    def bring_up(self, ground: Ground, values: Sequence[int]) -> None:
        """`Snakefile`, with its default triggers: times, code, params and inputs."""
        mesh, folder = ground.mesh, ground.folder
        mesh.write(folder)
        (folder / "executed").mkdir()
        (folder / "cache").mkdir()
        wanted = mesh.target(mesh.last, "{part}")
        text = f'configfile: "config.yaml"\n\nPARTS = range({mesh.parts})\n\n'
        text += f'rule all:\n    input: expand("{wanted}", part=PARTS)\n'
        text += "".join(self._rule(mesh, node) for node in mesh.nodes)
        (folder / "Snakefile").write_text(text, encoding="utf-8")
        self._write_value(ground, 1)
        for x in values:
            self._write_value(ground, x)
            if self.cached:
                variables = self._variables(ground)
                variables["PATH"] = os.pathsep.join([str(_stand_in(ground, x)), variables["PATH"]])
                ground.measure(self._command(), variables)
            else:
                ground.outputs.put(mesh, x, folder)
                ground.measure(self._command("--touch", "--forceall"), self._variables(ground))

    def again(self, ground: Ground, x: int) -> Sample:
        """`snakemake`."""
        self._write_value(ground, x)
        before = _executed(ground)
        measured = ground.measure(self._command(), self._variables(ground))
        ground.hold(x, before, _executed(ground))
        if "missing provenance" in ground.said():
            raise MeasuredProcessFailed("it does not know how its outputs were made", ground.tail())
        return Sample(measured=measured)

    def plan(self, ground: Ground) -> Sample:
        """`snakemake --dry-run`."""
        return Sample(measured=ground.measure(self._command("--dry-run"), self._variables(ground)))

    def _rule(self, mesh: Mesh, node: Node) -> str:
        part = "{wildcards.part}" if mesh.parts > 1 else 0
        sources = [mesh.target(name, "{part}") for name in node.sources]
        lines = [
            f"rule {node.name}:",
            "    input:",
            f"        {sources!r}," if sources else "",
            f'        notebook="notebooks/{node.notebook}.ipynb",',
            f'        helpers="{HELPERS}",',
            f'    output: "{mesh.target(node.name, "{part}")}"',
            "    cache: True" if self.cached else "",
            '    params: x=config["x"]' if not sources else "",
            f"    shell: {_papermill(mesh, node, part, '{params.x}')!r}",
        ]
        return "\n" + "\n".join(line for line in lines if line) + "\n"

    @staticmethod
    def _write_value(ground: Ground, x: int) -> None:
        _write_yaml(ground.folder / "config.yaml", {"x": x})

    def _variables(self, ground: Ground) -> dict[str, str]:
        variables = _with_papermill(self.environment, self.papermill, ground.home)
        return variables | {"SNAKEMAKE_OUTPUT_CACHE": str(ground.folder / "cache")}

    def _command(self, *words: str) -> list[str]:
        found = [str(self.environment.python.with_name("snakemake")), "--cores", "all"]
        return [*found, *(["--cache"] if self.cached else []), *words]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ploomber:
    """`ploomber build`. A driver notes of each task what Ploomber notes of one that ended well."""

    name: str
    environment: Environment

    def bring_up(self, ground: Ground, values: Sequence[int]) -> None:
        """`pipeline.yaml`, with a task for each instance: Ploomber's grid knows no chains side by side."""
        mesh, folder = ground.mesh, ground.folder
        mesh.write(folder, ("upstream = None", "product = None"))
        (folder / "executed").mkdir()
        meta = {"extract_upstream": False, "extract_product": False}
        for x in values or (1,):
            tasks = [self._task(mesh, node, part, x) for node, part in mesh.instances()]
            _write_yaml(folder / "pipeline.yaml", {"meta": meta, "executor": "serial", "tasks": tasks})
        for x in values:
            ground.outputs.put(mesh, x, folder)
            for task in tasks:
                shutil.copyfile(folder / task["source"], folder / task["product"]["nb"])
            command = [str(self.environment.python), str(PLOOMBER_DRIVER)]
            ground.measure(command, self.environment.variables(ground.home))

    def again(self, ground: Ground, x: int) -> Sample:
        """`ploomber build`."""
        before = _executed(ground)
        command = [str(self.environment.python.with_name("ploomber")), "build"]
        measured = ground.measure(command, self.environment.variables(ground.home))
        ground.hold(x, before, _executed(ground))
        return Sample(measured=measured)

    def plan(self, ground: Ground) -> Sample:
        """`ploomber status`."""
        command = [str(self.environment.python.with_name("ploomber")), "status"]
        return Sample(measured=ground.measure(command, self.environment.variables(ground.home)))

    @staticmethod
    def _task(mesh: Mesh, node: Node, part: int, x: int) -> dict[str, Any]:
        def name(stage: str) -> str:
            return f"{stage}-{part}" if mesh.parts > 1 else stage

        product = {"nb": f"executed/{name(node.name)}.ipynb", "data": mesh.target(node.name, part)}
        task: dict[str, Any] = {"source": f"notebooks/{node.notebook}.ipynb", "name": name(node.name)}
        task |= {"product": product, "params": mesh.parameters(node, part, x)}
        return task | ({"upstream": [name(source) for source in node.sources]} if node.sources else {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stagebook:
    """`stagebook run`. There is no other way to bring it up than to run all stages."""

    name: str
    environment: Environment
    tracking: bool = False

    def bring_up(self, ground: Ground, values: Sequence[int]) -> None:
        """A project whose stages run in process, which is quickest."""
        mesh, folder = ground.mesh, ground.folder
        mesh.write(folder)
        pipeline = {
            "params": {"x": 1} | ({"parts": list(range(mesh.parts))} if mesh.parts > 1 else {}),
            "defaults": {"executor": "inprocess"},
            "stages": {node.name: self._stage(mesh, node) for node in mesh.nodes},
        }
        (folder / "pipelines").mkdir()
        _write_yaml(folder / "pipelines" / "measured.yaml", pipeline)
        settings = f"[tracking]\nenabled = {str(self.tracking).lower()}\n"
        (folder / "stagebook.toml").write_text(settings, encoding="utf-8")
        for x in values:
            self._call(ground, "run", "measured", "-p", f"x={x}")

    def again(self, ground: Ground, x: int) -> Sample:
        """`stagebook run`."""
        before = self._attempts(ground)
        measured = self._call(ground, "run", "measured", *(["-p", f"x={x}"] if x != 1 else []))
        ground.hold(x, before, self._attempts(ground))
        return Sample(measured=measured)

    def plan(self, ground: Ground) -> Sample:
        """`stagebook plan`."""
        return Sample(measured=self._call(ground, "plan", "measured"))

    @staticmethod
    def _stage(mesh: Mesh, node: Node) -> dict[str, Any]:
        part = "${matrix.part}"
        stage: dict[str, Any] = {"notebook": f"notebooks/{node.notebook}.ipynb"}
        if mesh.parts > 1:
            stage["matrix"] = {"part": "${params.parts}"}
        instance = f"@{part}" if mesh.parts > 1 else ""
        sources = [f"{name}{instance}.target" for name in node.sources]
        if node.gathers:
            stage["inputs"] = {"sources": sources}
        elif sources:
            stage["inputs"] = {"source": sources[0]}
        else:
            values = {"number": node.number, "x": "${params.x}"}
            stage["params"] = values | ({"part": part} if mesh.parts > 1 else {})
        return stage | {"outputs": {"target": mesh.target(node.name, part)}}

    @staticmethod
    def _attempts(ground: Ground) -> set[Path]:
        return set((ground.folder / ".stagebook" / "runs").glob("*/*/*"))

    def _call(self, ground: Ground, *words: str) -> Measured:
        command = [str(self.environment.python), "-m", "stagebook", *words]
        return ground.measure(command, self.environment.variables(ground.home))


def _papermill(mesh: Mesh, node: Node, part: object, x: object) -> str:
    """The command line for a stage. Its executed notebook is nobody's output: it changes each time."""
    executed = mesh.target(node.name, part).replace("data/", "executed/").replace(".parquet", ".ipynb")
    words = ["papermill", f"notebooks/{node.notebook}.ipynb", executed]
    for name, value in mesh.parameters(node, part, x).items():
        if isinstance(value, list):
            words += ["-y", f"'{name}: [{', '.join(value)}]'"]
        else:
            words += ["-p", name, str(value)]
    return " ".join(words)


def _stand_in(ground: Ground, x: int) -> Path:
    """A folder with a command `papermill` that copies what the notebook would write: its target, which is
    the last word of the command line."""
    folder = ground.folder / "stand_in"
    folder.mkdir(exist_ok=True)
    script = folder / "papermill"
    made = shlex.quote(str(ground.outputs.of(ground.mesh, x)))
    text = f'#!/bin/sh\nfor target; do :; done\nexec cp {made}/"${{target##*/}}" "$target"\n'
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    return folder


def _executed(ground: Ground) -> dict[str, int]:
    """What papermill wrote, and when."""
    return {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(ground.folder / "executed")}


def _with_papermill(environment: Environment, papermill: Environment, home: Path) -> dict[str, str]:
    """The environment variables of a contender whose stages call papermill."""
    variables = environment.variables(home)
    path = [str(environment.python.parent), str(papermill.python.parent), variables["PATH"]]
    return variables | {"PATH": os.pathsep.join(path)}


def _write_yaml(path: Path, data: object) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False, width=1000), encoding="utf-8")
