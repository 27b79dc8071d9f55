"""A forked process is as good as one that was started: the same results, its own randomness."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from typing import Any

import pytest

from effort import figure
from faults.faults_tools import EXECUTORS, Place, outputs_of, statuses

pytestmark = pytest.mark.e2e

CELLS = {
    "magics": ["%pwd", "%env FAULTS", "!echo shell $((1 + 1))", "%%bash\necho of bash\necho bad >&2"],
    "timeit": ["%%capture got\nprint('kept')", "got.stdout", "%precision 3", "3.14159265", "_"],
    "displays": [
        "from IPython.display import display, HTML, clear_output",
        "handle = display('one', display_id='d')",
        "handle.update('two')\ndisplay(HTML('<b>x</b>'))",
        "print('gone'); clear_output(); print('stays')",
        "print('waits'); clear_output(wait=True); print('instead')",
    ],
    "pandas": [
        "import pandas as pd",
        "frame = pd.DataFrame({'a': [1, 2], 'b': ['x', None]})\nframe",
        "frame.describe()",
        "pd.Series([1.5, 2])",
    ],
    "await": ["import asyncio\nawait asyncio.sleep(0.01)\n'awaited'", "async def f(): return 7\nawait f()"],
    "raises": ["def inner(x):\n    return 1 / x", "inner(0)"],
    "values": ["import sys, os, warnings", "__name__, sys.argv[0] == '', os.path.basename(os.getcwd())", "{'b': 1, 'a': [1, 2]}", "sys.stdout.write('w')", "print('e', file=sys.stderr)", "warnings.warn('old')"],
    "signals": ["import signal, threading, gc, locale", "signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)", "gc.isenabled(), gc.get_threshold()", "locale.getpreferredencoding(), threading.current_thread().name", "import multiprocessing as m; m.get_start_method()"],
}  # fmt: skip
if importlib.util.find_spec("matplotlib"):
    CELLS["figure"] = [
        "import matplotlib.pyplot as plt",
        "plt.plot([1, 2, 3]); plt.title('t')",
        "figure, axes = plt.subplots(figsize=(2, 2)); axes.bar([1], [2])",
    ]

# Few notebooks, since each costs the start of a process.
NOTEBOOKS = {
    "shell": [*CELLS["magics"], *CELLS["timeit"]],
    "shows": [*CELLS["displays"], *CELLS["pandas"], *CELLS.get("figure", [])],
    "values": [*CELLS["values"], *CELLS["signals"], *CELLS["await"]],
    "raises": CELLS["raises"],
}


def plain(text: Any) -> str:
    """A text without what differs from one process to the next."""
    text = "".join(text) if isinstance(text, list) else str(text)
    text = re.sub(r"0x[0-9a-f]+", "0x…", text)
    text = re.sub(r"ipykernel_\d+", "ipykernel_…", text)
    return re.sub(r"/ipykernel_…/\d+\.py", "/ipykernel_…/….py", text)


def shape(output: dict[str, Any]) -> Any:
    """An output, as far as it has to be the same."""
    match output["output_type"]:
        case "stream":
            return "stream", output["name"], plain(output["text"])
        case "error":
            return "error", output["ename"], output["evalue"], plain("\n".join(output["traceback"]))
        case kind:
            data = {
                key: ("a picture" if key == "image/png" else plain(value))
                for key, value in output["data"].items()
            }
            return kind, data, json.dumps(output["metadata"], sort_keys=True)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.long
def test_forked_or_not_the_outputs_are_the_same(place: Place, executor: str) -> None:
    stages = {name: {"cells": cells, "executor": executor} for name, cells in NOTEBOOKS.items()}
    place.pipeline(stages)
    seen = []
    for fork in (True, False):
        place.settings(fork=fork)
        running = place.run("--keep-going", "--jobs", "2", env={"FAULTS": "of the suite"})
        seen.append(
            {
                name: (
                    statuses(running, name),
                    [list(map(shape, outs)) for outs in outputs_of(running, name)],
                )
                for name in stages
            }
        )
        place.gone(2)
    for name in stages:
        for forked, started, cell in zip(seen[0][name][1], seen[1][name][1], NOTEBOOKS[name], strict=True):
            assert forked == started, f"{name}: {cell}"
        assert seen[0][name] == seen[1][name]
        wanted = "failed" if name == "raises" else "completed"
        assert seen[0][name][0][-1] == wanted, (name, seen[0][name])
    figure(f"notebooks forked and not, `{executor}`", f"{len(stages)}, the same outputs")


SURROUNDINGS = """
import json, os, random, sys
import numpy
umask = os.umask(0)
os.umask(umask)
told = {
    "random": [random.random(), float(numpy.random.rand()), os.urandom(4).hex()],
    "cwd": os.getcwd(), "umask": umask, "env": os.environ.get("FAULTS"), "path": sys.path,
    "home": os.environ.get("HOME"), "own": [n for n in os.environ if n.startswith("STAGEBOOK_")],
}
with open(os.environ["STAGEBOOK_STAGE"] + ".json", "w") as file:
    json.dump(told, file)
"""


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.long
def test_a_stage_finds_the_surroundings_that_were_asked_for(place: Place, fork: bool) -> None:
    place.settings(fork=fork)
    names = [f"{executor}{at}" for executor in EXECUTORS for at in "ab"]
    place.pipeline({name: {"cells": [SURROUNDINGS], "executor": name[:-1]} for name in names})
    running = place.run("--jobs", "2", env={"FAULTS": "é and\nmore"}, preexec_fn=lambda: os.umask(0o027))
    assert running.process.returncode == 0, running.errors()
    told = [json.loads((place.root / f"{name}.json").read_text()) for name in names]
    for what in told:
        assert (what["cwd"], what["umask"]) == (str(place.root), 0o027)
        assert what["env"] == "é and\nmore"
        assert str(place.root / "notebooks") in what["path"]
        assert str(place.root) in what["path"]
        assert what["home"] == os.environ.get("HOME")
        assert not {"STAGEBOOK_FORKSERVER", "STAGEBOOK_LIFELINE", "STAGEBOOK_PARENT"} & set(what["own"])
    for at in range(3):
        assert len({what["random"][at] for what in told}) == len(told), "no two draw the same numbers"
    place.gone(2)
