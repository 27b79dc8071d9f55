"""Tools of the fault suite: a project with its own temporary folder, runs of it as real processes,
and looks at what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from building import ProjectBuilder
from commands import COMMAND, environment, stagebook
from effort import SEED, amount, figure
from stagebook.event_reading import KINDS, from_json
from stagebook.events import AttemptEnded, CellEnded, Event
from stagebook.system import processes
from waiting import until

__all__ = ["SEED", "amount", "figure", "until"]  # their places are `effort` and `waiting`

TAG = "STAGEBOOK_FAULTS_TAG"  # in the environment of every process of a test, forked ones included
EXECUTORS = ("kernel", "inprocess")


def is_there(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def ended(pids: Sequence[int], seconds: float) -> None:
    """Wait until processes are gone."""
    until(lambda: not any(map(is_there, pids)), seconds, f"{list(pids)} are gone")


def comm(pid: int) -> str:
    """What a process is called."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class Running:
    """`stagebook run` as a process; its lines go to a file."""

    def __init__(self, place: Place, process: subprocess.Popen[bytes], lines: Path, errors: Path) -> None:
        self.place = place
        self.process = process
        self._lines = lines
        self._errors = errors

    def told(self) -> list[Event]:
        """The events that it has told so far."""
        whole = self._lines.read_bytes().rpartition(b"\n")[0]
        found = [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return [from_json(data) for data in found if data.get("type") in KINDS]

    def of(self, kind: type[Event], stage: str | None = None) -> list[Any]:
        """The events of a kind that it has told so far."""
        return [
            event
            for event in self.told()
            if isinstance(event, kind) and (stage is None or getattr(event, "stage", None) == stage)
        ]

    def wait(self, seconds: float) -> int:
        """Its exit code."""
        return self.process.wait(timeout=seconds)

    @property
    def run(self) -> str:
        """The id of the run."""
        return until(self.told, 30, "the run began")[0].run

    def events(self) -> list[Event]:
        """The events of the run, from the journal."""
        return self.place.builder.events(self.run)

    def ends(self) -> dict[str, AttemptEnded]:
        """How the stages ended: of each the last attempt, from the journal."""
        return {event.stage: event for event in self.events() if isinstance(event, AttemptEnded)}

    def folder(self, stage: str, attempt: int = 1) -> Path:
        """The folder of an attempt."""
        return self.place.root / ".stagebook/runs" / self.run / stage / str(attempt)

    def errors(self) -> str:
        """What it had to complain about."""
        return self._errors.read_text()

    def said(self) -> str:
        """All that it said."""
        return self._lines.read_text() + self.errors()


class Place:
    """A project with a temporary folder of its own, and a tag on each process that it starts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.builder = ProjectBuilder(root)
        self.tag = uuid.uuid4().hex
        self.temp = Path(tempfile.mkdtemp(prefix="f", dir="/tmp"))  # short: sockets have short names
        self.random = random.Random(SEED)
        self._started: list[subprocess.Popen[bytes]] = []
        self.settings()

    def settings(self, **run: Any) -> None:
        """Write the settings of `[run]`; MLflow is off."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in run.items()]
        self.builder.file("stagebook.toml", "\n".join(["[tracking]", "enabled = false", "[run]", *lines]))

    def pipeline(self, stages: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the pipeline `p`. `cells` of a stage become a notebook; it runs every time."""
        made = {}
        for name, stage in stages.items():
            given = {"cache": False, **stage}
            params = given.get("declares")
            given["notebook"] = self.builder.notebook(name, *given.pop("cells"), params=params)
            given.pop("declares", None)
            made[name] = given
        self.builder.pipeline(json.dumps({"stages": made}))

    def start(
        self,
        *arguments: str,
        prefix: Sequence[str] = (),
        words: Sequence[str] = ("run", "p"),
        program: Sequence[str] = COMMAND,
        **options: Any,
    ) -> Running:
        """Start `stagebook run p`, or another command that runs, or another program in its place."""
        number = len(self._started)
        lines, errors = self.root / f"lines-{number}.jsonl", self.root / f"errors-{number}.txt"
        env = environment(TMPDIR=str(self.temp), **{TAG: self.tag, **options.pop("env", {})})
        with lines.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [*prefix, *program, *words, "--json", *arguments],
                cwd=self.root, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
                **{"start_new_session": True, **options},
            )  # fmt: skip
        self._started.append(process)
        return Running(self, process, lines, errors)

    def run(self, *arguments: str, seconds: float = 240, **options: Any) -> Running:
        """`stagebook run p` from its start to its end."""
        running = self.start(*arguments, **options)
        running.wait(seconds)
        return running

    def command(self, *arguments: str) -> str:
        """What another command says."""
        return stagebook(self.root, *arguments, env=environment(TMPDIR=str(self.temp))).stdout

    # -- what is there ----------------------------------------------------------------------------

    def left(self) -> list[psutil.Process]:
        """The processes that this project started and that are still there."""
        found = processes.marked(TAG, self.tag)
        return [process for process in found if is_there(process.pid)]

    def named(self, name: str) -> list[int]:
        """The ids of those that are called by a name."""
        return [process.pid for process in self.left() if comm(process.pid) == name]

    def fork_server(self) -> int:
        """The id of the fork server, once there is one. For a moment after a fork its children are called as it is."""

        def look() -> int | None:
            found = self.named("sb-forkserver")
            for pid in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if psutil.Process(pid).ppid() not in found:
                        return pid
            return None

        return until(look, 30, "the fork server is there")

    def worker_of(self, running: Running, stage: str) -> int:
        """The id of the worker of a stage: the process that has the log open."""
        log = str(running.folder(stage) / "log.txt")

        def look() -> int:
            for process in self.left():
                with contextlib.suppress(OSError):
                    for number in os.listdir(f"/proc/{process.pid}/fd"):
                        with contextlib.suppress(OSError):
                            if os.readlink(f"/proc/{process.pid}/fd/{number}") == log:
                                return process.pid
            return 0

        return int(until(look, 20, f"the worker of {stage}"))

    def folders(self) -> list[str]:
        """The temporary folders of the platform that are still there."""
        return sorted(path.name for path in self.temp.glob("sb-*"))

    def pid_in(self, name: str, seconds: float = 60) -> int:
        """The process id that a notebook wrote into a file."""
        path = self.root / name
        return int(until(lambda: path.is_file() and path.read_text(), seconds, f"{name} is written"))

    def gone(self, seconds: float) -> None:
        """All processes and temporary folders are gone within some seconds."""

        def shown() -> list[str]:
            return [f"{process.pid} {comm(process.pid)}" for process in self.left()]

        until(lambda: not self.left(), seconds, lambda: f"{shown()} are gone", every=0.05)
        assert self.folders() == [], "temporary folders are left"

    def close(self) -> None:
        """End what a test that failed left."""
        for process in self._started:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
        for process in self.left():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.builder.close()
        shutil.rmtree(self.temp, ignore_errors=True)


# Writes the id of the process that runs the cells into a file, whole.
TELL_PID = """
import os
with open("{name}.tmp", "w") as file:
    file.write(str(os.getpid()))
os.rename("{name}.tmp", "{name}")
"""


def tell_pid(name: str) -> str:
    """A cell that writes the id of its process into a file of the project."""
    return TELL_PID.format(name=name)


def kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was anybody to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def statuses(running: Running, stage: str) -> list[str]:
    """The statuses of the code cells in the executed notebook, without the injected one."""
    return running.place.builder.cell_statuses(running.run, stage)


def agree(running: Running, stage: str) -> None:
    """The executed notebook says the same as the journal, and never more than happened."""
    ended = {e.cell: str(e.status) for e in running.events() if isinstance(e, CellEnded) and e.stage == stage}
    shown = statuses(running, stage)
    assert shown == [ended.get(at, "pending") for at in range(1, len(shown) + 1)], (stage, shown, ended)
    end = running.ends()[stage]
    assert ("failed" in shown) == (end.cause is not None and end.cell is not None), (stage, end)
    result = json.loads((running.folder(stage) / "result.json").read_text())
    assert (result["cause"], result["message"]) == (end.cause, end.message)
    meta = running.place.builder.executed(running.run, stage)["metadata"]
    assert meta["stagebook"]["cause"] == end.cause


def outputs_of(running: Running, stage: str) -> list[list[dict[str, Any]]]:
    """The outputs of the code cells of a stage."""
    cells = running.place.builder.executed(running.run, stage)["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


def text_of(outputs: list[dict[str, Any]], name: str = "stdout") -> str:
    """The text of a stream in the outputs of one cell."""
    return "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream" and o["name"] == name)
