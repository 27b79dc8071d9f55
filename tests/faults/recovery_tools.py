"""A pipeline of every kind of stage, runs of it that are killed, and what has to hold afterwards."""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faults.faults_tools import Place, Running
from stagebook.events import AttemptEnded, AttemptStarted, Event, RunStarted, StageEnded, StageReused, Status
from stagebook.journal.history import RunHistory
from stagebook.runs.quarantine import quarantined, rows_of

DRIVER = (sys.executable, str(Path(__file__).parent / "driver.py"))
LOG = "ran.log"  # of each execution, a line at its beginning and at its end
BEGIN = f"""
import os, time
def say(text):
    with open({LOG!r}, "a") as log:
        log.write(text + "\\n")
name = os.environ["STAGEBOOK_STAGE"]
say("begin " + name)
"""
END = "say('end ' + name)"


def write(text: str) -> str:
    """A cell that writes an output in two halves."""
    halves = "file.write(text[:3]); file.flush(); time.sleep(0.02); file.write(text[3:])"
    return f"text = {text}\nwith open(out, 'w') as file:\n    {halves}"


# name → (cells, the rest of the stage); `n` is the parameter of the pipeline.
STAGES: dict[str, tuple[Sequence[str], dict[str, Any]]] = {
    "load": ([write("f'loaded {n} times'")], {"outputs": {"out": "data/load.txt"}}),
    "flaky": (
        [
            "text = open(loaded).read()",
            "if not os.path.exists('came.before'):\n    open('came.before', 'w').close()\n    raise KeyError('once')",
            write("text.upper()"),
        ],
        {"inputs": {"loaded": "load.out"}, "outputs": {"out": "data/flaky.txt"}, "retries": 1, "retry_delay": 0.1},
    ),
    "items": (["import scrapbook\nscrapbook.glue('items', ['x', 'y'] + ['z'] * (n > 1))"], {}),
    "each": (
        [write("item * 1000 + str(n)")],
        {"foreach": "${stages.items.scraps.items}", "params": {"item": "${item}"},
         "outputs": {"out": "data/each/${item}.txt"}},
    ),
    "always": ([write("'always ' * n")], {"outputs": {"out": "data/always.txt"}, "cache": False}),
    "folder": (
        [
            "os.makedirs(out + '/deep/empty'); os.makedirs(out + '/many')",
            "open(out + '/nothing', 'w').close()",
            "for at in range(20):\n    open(f'{out}/many/{at}', 'w').write(str(at * n))",
            "open(out + '/deep/run.sh', 'w').write('echo'); os.chmod(out + '/deep/run.sh', 0o755)",
        ],
        {"outputs": {"out": "data/folder"}},
    ),
    "two": (
        ["open(one, 'w').write('1' * n)", "open(other, 'w').write('2' * n)"],
        {"inputs": {"folder": "folder.out"}, "outputs": {"one": "data/one.txt", "other": "data/two.txt"},
         "declares": "one = ''\nother = ''\nfolder = ''\nn = 0"},
    ),
    "table": (  # one of its rows breaks its contract
        [write("'id,speed\\n' + ''.join(f'{at},{at * 100}\\n' for at in range(4))")],
        {"outputs": {"out": {"path": "data/table.csv", "contract": "contracts/table.yaml"}}},
    ),
    "beside": (  # it is passed no paths, and writes in the places of its outputs
        [
            "assert not os.path.exists('data/beside.txt') and os.listdir('data/besides') == []",
            "out = 'data/beside.txt'",
            write("open('data/load.txt').read() + ' beside' * n"),
            "open('data/besides/a', 'w').write(str(n))",
        ],
        {"inputs": ["data/load.txt"], "outputs": ["data/beside.txt", "data/besides/"]},
    ),
    "join": (
        [
            "texts = [open(path).read() for path in [*each, always, flaky, table]]",
            "texts.append(' '.join(sorted(os.listdir(folder + '/many'))))",
            write("'\\n'.join(texts)"),
        ],
        {"inputs": {"each": "each.out", "always": "always.out", "folder": "folder.out", "flaky": "flaky.out",
                    "one": "two.one", "table": "table.out", "side": {"path": "beside.beside", "inject": False}},
         "outputs": {"out": "data/join.txt"},
         "declares": "each = []\nalways = folder = flaky = one = table = out = ''\nn = 0"},
    ),
}  # fmt: skip
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.table.out
version: 1.0.0
status: active
schema:
  - name: out
    customProperties: [{property: severity, value: quarantine}]
    properties:
      - {name: id, logicalType: integer, unique: true}
      - {name: speed, logicalType: integer, logicalTypeOptions: {maximum: 200}}
"""
DECLARES = "out = ''\nloaded = ''\nitem = ''\nn = 0"
TEMPORARY = re.compile(r"\..+\.\d+\.(incoming|before)")


class Recovery:
    """The pipeline in a place."""

    def __init__(self, place: Place, *, slowly: float = 0.0) -> None:
        self.place = place
        self.root = place.root
        stages = {}
        for name, (cells, more) in STAGES.items():
            declares = more.get("declares", DECLARES)
            known = set(re.findall(r"\w+", declares))
            params = {"n": "${params.n}", **more.get("params", {})}
            wait = [f"time.sleep({slowly})"] if slowly else []
            place.builder.notebook(name, BEGIN, *wait, *cells, END, params=declares)
            stages[name] = {
                "notebook": f"notebooks/{name}.ipynb",
                "executor": "inprocess",
                "params": {key: value for key, value in params.items() if key in known},
                **{key: value for key, value in more.items() if key not in {"params", "declares"}},
            }
        place.builder.pipeline(json.dumps({"params": {"n": 2}, "stages": stages}))
        place.builder.file("contracts/table.yaml", CONTRACT)

    # -- doing ----------------------------------------------------------------------------------

    def reset(self) -> None:
        """As if nothing ever ran."""
        for name in ("data", ".stagebook"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for name in (LOG, "came.before"):
            (self.root / name).unlink(missing_ok=True)

    def start(self, *arguments: str, orders: Mapping[str, Any] | None = None, **options: Any) -> Running:
        """Start a command that runs, with orders for `driver`."""
        if orders is not None:
            options |= {"program": DRIVER, "env": {"STAGEBOOK_TEST_ORDERS": json.dumps(orders)}}
        return self.place.start("--jobs", "2", *arguments, **options)

    def run(self, *arguments: str, seconds: float = 120, **options: Any) -> Running:
        """The same from its start to its end."""
        running = self.start(*arguments, **options)
        running.wait(seconds)
        return running

    def resume(self, *arguments: str, **options: Any) -> Running:
        """`stagebook resume` to its end."""
        return self.run(*arguments, words=("resume",), **options)

    # -- what is there --------------------------------------------------------------------------

    def quarantined(self) -> list[tuple[str, list[Any]]]:
        """The datasets of which rows are in quarantine, with the ids of these."""
        project = self.place.builder.project
        return [
            (one.dataset, [row["id"] for row in rows_of(one, self.root, 9)])
            for one in quarantined(project.history, "p")
        ]

    def outputs(self) -> dict[str, tuple[bytes | None, bool]]:
        """All that is in the place of outputs: content, None for a folder, and whether it is executable."""
        found: dict[str, tuple[bytes | None, bool]] = {}
        for path in sorted((self.root / "data").rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if not any(TEMPORARY.fullmatch(part) for part in name.split("/")):
                found[name] = (
                    (None, False) if path.is_dir() else (path.read_bytes(), os.access(path, os.X_OK))
                )
        return found

    def executions(self) -> collections.Counter[str]:
        """How often each stage was executed to its end."""
        log = self.root / LOG
        lines = log.read_text().splitlines() if log.exists() else []
        return collections.Counter(line.removeprefix("end ") for line in lines if line.startswith("end "))

    def runs(self) -> list[Any]:
        """The runs that the journal knows, the oldest first."""
        with self.place.builder.project as project:
            return list(reversed(project.history.runs(limit=100)))

    def events(self, run: str) -> list[Event]:
        """The events of a run, from the journal."""
        with self.place.builder.project as project:
            return [event for _, event in project.journal.events.of(run)]

    def history(self, run: str) -> RunHistory:
        """What became of a run."""
        return RunHistory(self.events(run))

    # -- what has to hold -----------------------------------------------------------------------

    def nothing_lost(self, running: Running) -> None:
        """What a run told was acknowledged, so that it is in the journal."""
        told = [_plain(event) for event in running.told() if not type(event).transient]
        kept = [_plain(event) for event in self.events(running.told()[0].run)] if told else []
        lost = [event for event in told if event not in kept]
        assert lost == [], lost

    def nothing_twice(self) -> None:
        """No run began a stage that an earlier one, which it goes on with, had finished."""
        finished: set[str] = set()
        for run in self.runs():
            events = self.events(run.id)
            started = events[0]
            assert isinstance(started, RunStarted)
            if not started.resumes:
                finished = set()
            begun = {event.stage for event in events if isinstance(event, AttemptStarted)}
            again = begun & finished
            assert again == set(), f"finished before {run.id}, and run again: {again}"
            finished |= {e.stage for e in events if isinstance(e, AttemptEnded) and e.cause is None}
            finished |= {e.stage for e in events if isinstance(e, StageReused)}

    def statuses_are_final(self) -> None:
        """What a run told of a stage's end is what it ended with."""
        for run in self.runs():
            history = self.history(run.id)
            for event in self.events(run.id):
                if isinstance(event, StageEnded):
                    assert history.stages[event.stage].status is event.status
                if isinstance(event, AttemptEnded) and event.cause is None:
                    assert history.stages[event.stage].status is Status.COMPLETED
            assert run.status is not Status.RUNNING


def _plain(event: Event) -> Any:
    return json.loads(json.dumps(event.to_json()))
