"""Cases numexpr_forkserver and pandas_display_forked: what is imported ahead does not change what a notebook sees."""

from __future__ import annotations

import os

import pytest

from building import ProjectBuilder
from ways import WAYS, Executed, execute_each

pytestmark = pytest.mark.kernel

STARTS = """
import threading, time
thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
thread.start()
"""
# As numexpr does (`numexpr/utils.py`): its pool has threads unless it is told to have one.
NUMEXPR = f"""
import os
nthreads = int(os.environ.get("NUMEXPR_NUM_THREADS") or 4)
if nthreads > 1:
    exec({STARTS!r})
asked = []
def set_num_threads(count):
    asked.append(count)
"""
WHERE = (
    "import sys\nprint(open('/proc/self/comm').read().strip(), *(name in sys.modules for name in {names}))"
)


def run(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch, modules: dict[str, str], *cells: str
) -> tuple[Executed, list[str]]:
    """Execute cells with these modules imported ahead; what the fork server said."""
    for name, source in modules.items():
        builder.file(f"lib/{name}.py", source)
    monkeypatch.setenv("PYTHONPATH", str(builder.root / "lib"), prepend=os.pathsep)
    preload = ", ".join(f'"{name}"' for name in modules)
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\npreload = [{preload}]\n")
    builder.pipeline(f"stages:\n  a: {{notebook: {builder.notebook('a', *cells)}}}")
    report = builder.project.run("p")
    last = report.history.stages["a"]
    log = builder.root / ".stagebook/forkserver.log"
    said = log.read_text().splitlines() if log.exists() else []
    folder = builder.root / last.folder
    return Executed(folder=folder, record=last, notebook=builder.executed(report.run, "a")), said


def test_numexpr_is_kept_quiet_and_has_its_threads_in_the_stage(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = (
        WHERE.format(names=["numexpr"]),
        "import numexpr, os\nprint(numexpr.nthreads, numexpr.asked, 'NUMEXPR_NUM_THREADS' in os.environ)",
    )
    done, said = run(builder, monkeypatch, {"numexpr": NUMEXPR}, *cells)
    assert (done.end, said) == ("completed", [])
    count = min(16, os.cpu_count() or 1)
    assert done.log == f"sb-kernel True\n{count} [{count}] False\n"


def test_a_module_that_starts_threads_and_those_that_import_it_are_left_out_at_once(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {
        "before": "x = 1",
        "outer": "import middle",
        "middle": "try:\n    import starts\nexcept ImportError:\n    starts = None",
        "starts": STARTS,
        "beside": "try:\n    import starts\nexcept Exception:\n    starts = None",
        "above": "import outer",
        "after": "x = 1",
    }
    names = ["before", "after", "outer", "middle", "starts", "beside", "above"]
    cells = (
        WHERE.format(names=names),
        "import above, beside\nassert beside.starts and sys.modules['middle'].starts",
    )
    done, said = run(builder, monkeypatch, modules, *cells)
    assert (done.end, done.log) == ("completed", "sb-kernel True True False False False False False\n")
    assert said == [
        "not imported ahead, because it starts threads: starts",
        "not imported ahead, because it imports outer: outer",
        "not imported ahead, because it imports middle: middle",
        "not imported ahead, because it imports starts: starts",
        "not imported ahead, because it imports starts: beside",
        "not imported ahead, because it imports outer: above",
    ]


@pytest.mark.long
def test_the_server_begins_anew_once(builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {"one": STARTS, "two": STARTS, "three": STARTS, "harmless": "x = 1"}
    cell = WHERE.format(names=["harmless"])
    done, said = run(builder, monkeypatch, modules, cell, "import one, two, three, harmless")
    assert (done.end, done.log) == ("completed", "python False\n")
    assert [line for line in said if "starts threads" in line] == [
        "not imported ahead, because it starts threads: one",
        "not imported ahead, because it starts threads: two",
    ]
    assert said[-1] == "stages start the ordinary way: there is a thread again"


ASKS = """
import builtins, io, os, sys, logging
shell = builtins.get_ipython()
from IPython import get_ipython
facts = [
    type(shell).__name__, type(shell).__module__, shell is get_ipython(), hasattr(shell, "kernel"), shell.kernel is not None,
    "IPKernelApp" in shell.config, shell.has_trait("kernel"), builtins.__IPYTHON__, "zmq" in str(type(shell)).lower(),
    sys.stdout.isatty(), isinstance(sys.stdout, io.TextIOBase), sys.stdout.encoding.lower(), "ipykernel" in sys.modules,
    [os.environ.get(name) for name in ("TERM", "FORCE_COLOR", "CLICOLOR", "PAGER", "MPLBACKEND")],
]
from ipykernel.zmqshell import ZMQInteractiveShell
facts.append(isinstance(shell, ZMQInteractiveShell))
handler = logging.StreamHandler(sys.stderr)
output = sys.stdout
def say():
    print("said to the stream that was there", file=output)
    handler.emit(logging.makeLogRecord({"msg": "logged"}))
"""


@pytest.mark.parametrize("fork", [True, False])
def test_a_module_that_is_imported_ahead_finds_what_it_finds_in_a_kernel(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch, *, fork: bool
) -> None:
    name = "asks" if fork else "asked"  # another name is not imported ahead
    builder.file("lib/asked.py", ASKS)
    cells = (
        WHERE.format(names=["asks"]),
        f"import {name}\nprint({name}.facts)",
        f"{name}.say()",
        f"print(type({name}.shell.user_ns).__name__, {name}.shell.execution_count == get_ipython().execution_count)",
        f"{name}.shell.run_line_magic('pwd', '') == {name}.shell.kernel.shell.starting_dir == str(_dh[0])",
    )
    done, said = run(builder, monkeypatch, {"asks": ASKS}, *cells)
    assert (done.end, said) == ("completed", [])
    assert done.text(0) == "sb-kernel True\n"
    colours = ["xterm-color", "1", "1", "cat", "module://matplotlib_inline.backend_inline"]
    facts = ["ZMQInteractiveShell", "ipykernel.zmqshell", True, True, True, True, True, True, True]
    facts += [False, True, "utf-8", True, colours, True]
    assert done.text(1) == f"{facts}\n"
    assert (done.text(2), done.text(2, "stderr")) == ("said to the stream that was there\n", "logged\n")
    assert done.text(3) == "dict True\n"
    assert done.outputs(4)[0]["data"]["text/plain"] == ["True"]


@pytest.mark.long
def test_pandas_shows_the_same_table_in_each_way(builder: ProjectBuilder) -> None:
    cells = (
        "import pandas as pd, numpy as np",
        "print([pd.get_option(f'display.{name}') for name in ('max_columns', 'width', 'max_rows')])",
        "pd.DataFrame(np.zeros((2, 30)), columns=[f'column_{i}' for i in range(30)])",
        "import tqdm.auto\nprint(tqdm.auto.tqdm.__mro__[1])",
    )
    done = execute_each(builder, WAYS[:2], *cells)
    shown = [(one.text(1), one.outputs(2), one.text(3)) for one in done.values()]
    assert shown[0] == shown[1]
    assert shown[0][0] == "[20, 80, 60]\n"


PAPERMILL = """
import sys
print("papermill" in sys.modules, "pyarrow" in sys.modules)
import papermill as pm, papermill.engines, papermill.iorw, papermill.translators, pyarrow.fs
print(papermill.iorw.HadoopFileSystem is pyarrow.fs.HadoopFileSystem)
print(sorted(papermill.engines.papermill_engines._engines, key=str))
print(papermill.translators.papermill_translators.find_translator("python3", "python").__module__)
"""


@pytest.mark.long
def test_a_notebook_that_uses_papermill_gets_the_whole_of_it(builder: ProjectBuilder) -> None:
    done = execute_each(builder, WAYS, PAPERMILL)
    assert {way: one.end for way, one in done.items()} == dict.fromkeys(WAYS, "completed")
    first, *others = (one.text(0).splitlines()[1:] for one in done.values())
    assert first == others[0] == others[1]
    assert first[0] == "True"
    assert "ploomber" in first[1] or "profiling" in first[1] or "nbclient" in first[1]
    assert first[2] == "papermill.translators"
