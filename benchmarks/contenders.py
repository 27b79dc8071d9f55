"""Who is measured: each writes a workload down in its own way, executes it, and says what it took."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.environments import HERE, Environment
from benchmarks.measure import Measured, run
from benchmarks.workloads import PARAMETERS, Workload, no_ops, write_notebook

DRIVER = HERE / "drive_papermill.py"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One execution of a workload. `calls` are the seconds of each step as seen from within a process
    that is up and running (empty where a contender does not tell), `notebooks` the executed ones."""

    measured: Measured
    calls: Sequence[float] = ()
    notebooks: Sequence[Path] = ()


class Contender(Protocol):
    """One way to execute notebooks."""

    @property
    def name(self) -> str:
        """How it is called in the tables."""
        ...

    def prepare(self, workload: Workload, folder: Path) -> None:
        """Write all that is needed into an empty folder; not measured."""
        ...

    def execute(self, folder: Path, home: Path, *, watch_memory: bool) -> Sample:
        """Execute what was prepared. Raises `measure.MeasuredProcessFailed`."""
        ...

    def refusal(self, folder: Path, home: Path) -> str:
        """Why it cannot execute what was prepared; empty if it can."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Papermill:
    """One Python process that executes the notebooks one after the other with papermill."""

    name: str
    environment: Environment
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def prepare(self, workload: Workload, folder: Path) -> None:
        """Notebooks, and a plan for the loop."""
        (folder / "executed").mkdir()
        steps = []
        for step in workload.steps:
            notebook = folder / f"{step.name}.ipynb"
            write_notebook(notebook, step.cells, PARAMETERS if step.data else ())
            values = {"target": str(folder / f"{step.name}.parquet")} if step.data else {}
            if step.data and step.after:
                values["source"] = str(folder / f"{step.after}.parquet")
            executed = folder / "executed" / notebook.name
            steps.append({"notebook": str(notebook), "executed": str(executed), "parameters": values})
        plan = {"steps": steps, "options": dict(self.options)}
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    def execute(self, folder: Path, home: Path, *, watch_memory: bool) -> Sample:
        """Run the loop."""
        measured = run(
            [str(self.environment.python), str(DRIVER)],
            cwd=folder,
            env=self.environment.variables(home),
            log=folder / "log.txt",
            watch_memory=watch_memory,
        )
        return Sample(
            measured=measured,
            calls=json.loads((folder / "calls.json").read_text(encoding="utf-8")),
            notebooks=sorted((folder / "executed").glob("*.ipynb")),
        )

    def refusal(self, folder: Path, home: Path) -> str:  # noqa: ARG002 - it executes everything
        """Nothing."""
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ploomber:
    """`ploomber build` with one of its executors. Its notebooks declare `upstream` and `product`, as it
    demands; files are passed as parameters, so that the other cells are those of everyone else."""

    name: str
    environment: Environment
    parallel: bool

    def prepare(self, workload: Workload, folder: Path) -> None:
        """Notebooks and `pipeline.yaml`, which JSON is too."""
        tasks = []
        for step in workload.steps:
            own = ("upstream = None", "product = None")
            write_notebook(
                folder / f"{step.name}.ipynb", step.cells, (*own, *PARAMETERS) if step.data else own
            )
            task: dict[str, Any] = {"source": f"{step.name}.ipynb", "name": step.name}
            task["product"] = {"nb": f"executed/{step.name}.ipynb"}
            if step.after:
                task["upstream"] = [step.after]
            if step.data:
                task["product"]["data"] = f"{step.name}.parquet"
                source = str(folder / f"{step.after}.parquet") if step.after else ""
                task["params"] = {"source": source, "target": str(folder / f"{step.name}.parquet")}
            tasks.append(task)
        executor: Any = "serial"
        if self.parallel:
            executor = {"dotted_path": "ploomber.executors.Parallel", "processes": workload.jobs}
        meta = {"extract_upstream": False, "extract_product": False}
        pipeline = {"meta": meta, "executor": executor, "tasks": tasks}
        (folder / "pipeline.yaml").write_text(json.dumps(pipeline, indent=1), encoding="utf-8")

    def execute(self, folder: Path, home: Path, *, watch_memory: bool) -> Sample:
        """`ploomber build`."""
        measured = run(
            [str(self.environment.python.with_name("ploomber")), "build"],
            cwd=folder,
            env=self.environment.variables(home),
            log=folder / "log.txt",
            watch_memory=watch_memory,
        )
        return Sample(measured=measured, notebooks=sorted((folder / "executed").glob("*.ipynb")))

    def refusal(self, folder: Path, home: Path) -> str:  # noqa: ARG002 - it executes everything
        """Nothing."""
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stagebook:
    """`stagebook run`. No peer keeps a record in MLflow, so tracking is off, but for those that
    show what it costs: with the output in a file, where the command waits for MLflow, and on a terminal, where it does
    not. The store is made beforehand then, which happens once in a project's life."""

    name: str
    environment: Environment
    executor: str
    tracking: bool = False
    terminal: bool = False

    def prepare(self, workload: Workload, folder: Path) -> None:
        """A project."""
        stages: dict[str, Any] = {}
        for step in workload.steps:
            write_notebook(
                folder / "notebooks" / f"{step.name}.ipynb", step.cells, PARAMETERS if step.data else ()
            )
            stage: dict[str, Any] = {"notebook": f"notebooks/{step.name}.ipynb"}
            if step.data:
                stage["outputs"] = {"target": f"data/{step.name}.parquet"}
            if step.data and step.after:
                stage["inputs"] = {"source": f"{step.after}.target"}
            elif step.after:
                stage["after"] = [step.after]
            stages[step.name] = stage
        pipeline = {"defaults": {"executor": self.executor}, "stages": stages}
        self._write_pipeline(folder, "measured", pipeline)
        settings = f"[tracking]\nenabled = {str(self.tracking).lower()}\n"
        if workload.jobs:
            settings += f"[run]\njobs = {workload.jobs}\n"
        (folder / "stagebook.toml").write_text(settings, encoding="utf-8")

    def execute(self, folder: Path, home: Path, *, watch_memory: bool) -> Sample:
        """`stagebook run`."""
        variables = self.environment.variables(home)
        if self.tracking:
            self._make_store(folder, variables)
        measured = run(
            [*self._command, "run", "measured"],
            cwd=folder,
            env=variables,
            log=folder / "log.txt",
            watch_memory=watch_memory,
            terminal=self.terminal,
        )
        said = subprocess.check_output(
            [*self._command, "logs", "--json"], cwd=folder, env=variables, text=True
        )
        events = _events(said)
        began = {event["stage"]: event["at"] for event in events if event["type"] == "AttemptStarted"}
        ended = {event["stage"]: event["at"] for event in events if event["type"] == "AttemptEnded"}
        folders = [event["folder"] for event in events if event["type"] == "AttemptStarted"]
        return Sample(
            measured=measured,
            calls=[ended[stage] - began[stage] for stage in began],
            notebooks=[folder / place / "notebook.ipynb" for place in folders],
        )

    def refusal(self, folder: Path, home: Path) -> str:
        """What `stagebook check` says."""
        checked = subprocess.run(
            [*self._command, "check", "measured", "--json"],
            cwd=folder,
            env=self.environment.variables(home),
            capture_output=True,
            text=True,
            check=False,
        )
        if checked.returncode == 0:
            return ""
        try:
            said = json.loads(checked.stdout)
            return str(said["problems"][0]["message"] if said.get("problems") else said["error"])
        except (ValueError, KeyError, IndexError, TypeError):
            return f"`stagebook check` ended with exit code {checked.returncode}"

    @property
    def _command(self) -> list[str]:
        return [str(self.environment.python), "-m", "stagebook"]

    def _make_store(self, folder: Path, variables: dict[str, str]) -> None:
        stages = {"first": {"notebook": "first.ipynb", "executor": self.executor}}
        write_notebook(folder / "first.ipynb", no_ops(1).steps[0].cells)
        self._write_pipeline(folder, "before", {"stages": stages})
        run([*self._command, "run", "before"], cwd=folder, env=variables, log=folder / "before.txt")

    @staticmethod
    def _write_pipeline(folder: Path, name: str, pipeline: Mapping[str, Any]) -> None:
        path = folder / "pipelines" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(pipeline, indent=1), encoding="utf-8")


def _events(text: str) -> list[dict[str, Any]]:
    """Events as `logs --json` prints them: a JSON array, or an object for each line."""
    try:
        data = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]
    if isinstance(data, list):
        return data
    found: list[dict[str, Any]] = data.get("events", [data])
    return found
