"""What the executors promise beside the truth: fidelity, profiles, live events, a look afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from building import ProjectBuilder
from stagebook.events import (
    AttemptEnded,
    AttemptProgress,
    AttemptStarted,
    Event,
    OutputWritten,
    Status,
)
from stagebook.runs.kept import end_kernel, kept_kernels
from stagebook.runs.run import RunReport
from stagebook.system import processes

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])
COMMAND = [sys.executable, "-m", "stagebook"]


def run(builder: ProjectBuilder, executor: str, *cells: str, **options: Any) -> RunReport:
    builder.without_tracking()
    path = builder.notebook("a", *cells)
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, executor: {executor}}}")
    return builder.project.run("p", **options)


def outputs(builder: ProjectBuilder, report: RunReport, cell: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = builder.executed(report.run, "a")["cells"][cell]["outputs"]
    return found


def text(output: dict[str, Any]) -> str:
    source = output.get("text") or output["data"]["text/plain"]
    return source if isinstance(source, str) else "".join(source)


CELLS = (
    "import os, sys, asyncio\nprint('out'); print('err', file=sys.stderr); print('out again')",
    "!echo from a shell",
    "%%bash\necho from bash",
    "from IPython.display import display, HTML\nshown = display(HTML('<b>1</b>'), display_id='x')",
    "from IPython.display import update_display, clear_output\nupdate_display(HTML('<b>2</b>'), display_id='x')",
    "print('gone'); clear_output(); print('stays')",
    "await asyncio.sleep(0)\n6 * 7",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "import pandas as pd\npd.DataFrame({'a': [1]})",
    "%%time\nx = 1",
    "_ , Out[7]",
    "#tag raises-exception\ndef f():\n    return 1 / 0\nf()",
)


@EXECUTORS
def test_what_a_notebook_shows_is_kept_faithfully(builder: ProjectBuilder, executor: str) -> None:
    report = run(builder, executor, *CELLS)
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    first = outputs(builder, report, 0)
    joined = {
        name: "".join(text(out) for out in first if out["name"] == name) for name in ("stdout", "stderr")
    }
    assert joined == {"stdout": "out\nout again\n", "stderr": "err\n"}
    assert text(outputs(builder, report, 1)[0]).strip() == "from a shell"
    assert text(outputs(builder, report, 2)[0]).strip() == "from bash"
    assert "".join(outputs(builder, report, 3)[0]["data"]["text/html"]) == "<b>2</b>"
    assert [text(out) for out in outputs(builder, report, 5)] == ["stays\n"]
    assert outputs(builder, report, 6)[0]["output_type"] == "execute_result"
    assert text(outputs(builder, report, 6)[0]) == "42"
    assert any("image/png" in out.get("data", {}) for out in outputs(builder, report, 7))
    assert "text/html" in outputs(builder, report, 8)[0]["data"]
    assert "Wall time" in text(outputs(builder, report, 9)[0])
    assert "42" in text(outputs(builder, report, 10)[0])
    error = outputs(builder, report, 11)[0]
    assert (error["output_type"], error["ename"], error["evalue"]) == (
        "error",
        "ZeroDivisionError",
        "division by zero",
    )
    executed = nbformat.read(
        builder.root / f".stagebook/runs/{report.run}/a/1/notebook.ipynb", as_version=nbformat.NO_CONVERT
    )
    nbformat.validate(executed)
    counts = [cell.execution_count for cell in executed.cells]
    assert counts == list(range(1, len(CELLS) + 1))


def test_both_streams_of_a_process_keep_their_order(builder: ProjectBuilder) -> None:
    cell = "import sys\nfor at in range(50):\n    print(at, file=sys.stderr if at % 2 else sys.stdout)"
    report = run(builder, "inprocess", cell)
    assert "".join(text(out) for out in outputs(builder, report, 0)) == "".join(f"{at}\n" for at in range(50))


@EXECUTORS
def test_nobody_answers_in_a_pipeline(builder: ProjectBuilder, executor: str) -> None:
    report = run(builder, executor, "input('name? ')")
    assert "StdinNotImplementedError" in report.history.stages["a"].message


@EXECUTORS
def test_exit_functions_of_a_notebook_are_called(builder: ProjectBuilder, executor: str) -> None:
    report = run(builder, executor, "import atexit\natexit.register(lambda: open('left', 'w').write('x'));")
    assert report.status is Status.COMPLETED
    assert (builder.root / "left").read_text() == "x"


@EXECUTORS
def test_a_cell_whose_process_ends_at_once_has_its_number(builder: ProjectBuilder, executor: str) -> None:
    silent = "print(1)\nkernel = getattr(get_ipython(), 'kernel', None)\nif kernel is not None:\n    kernel._publish_execute_input = lambda *_, **__: None"
    report = run(builder, executor, silent, "", "import os\nos._exit(3)", "2")
    assert report.status is Status.FAILED
    counts = [cell.get("execution_count") for cell in builder.executed(report.run, "a")["cells"]]
    assert counts == [1, None, 2, None]


@EXECUTORS
def test_exit_ends_a_notebook_well(builder: ProjectBuilder, executor: str) -> None:
    report = run(builder, executor, "print('one')", "exit()", "raise RuntimeError")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    assert builder.cell_statuses(report.run, "a") == ["completed", "completed", "pending"]


@EXECUTORS
def test_the_folder_of_the_caller_is_not_searched_for_modules(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    path = builder.notebook("a", "import sys, json\nprint(json.__file__, sys.path)\nimport beside")
    builder.file("notebooks/beside.py", "x = 1")
    builder.file("elsewhere/json.py", "raise RuntimeError('the wrong one')")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, executor: {executor}}}")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "stagebook", "run"],
        cwd=builder.root / "elsewhere",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "platform")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (output,) = outputs(builder, RunReport(run=builder.project.history.find().id, **_NOTHING), 0)
    assert "elsewhere" not in text(output)


_NOTHING: Any = {"status": Status.COMPLETED, "history": None, "undelivered": 0, "plan": None}


def test_of_several_attempts_the_last_keeps_its_kernel(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    path = builder.notebook("a", "1/0")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, retries: 1, retry_delay: 10ms}}")
    project = builder.project
    report = project.run("p", keep_kernel=True)
    kept = [event.kernel for event in builder.events(report.run) if isinstance(event, AttemptEnded)]
    assert kept[0] is None
    assert kept[1] is not None
    assert end_kernel(project.history, project.history.find(), "a")


@EXECUTORS
def test_time_and_memory_of_each_cell_are_kept(builder: ProjectBuilder, executor: str) -> None:
    busy = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    child = (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', "
        "'import time; b = bytearray(300_000_000); time.sleep(1)'], check=True);"
    )
    report = run(builder, executor, "x = 1", busy, child)
    cells = builder.executed(report.run, "a")["cells"]
    used = [cell["metadata"]["papermill"]["profile"] for cell in cells]
    assert used[1]["cpu_seconds"] == pytest.approx(0.6, abs=0.35)
    assert used[0]["cpu_seconds"] < 0.3
    assert used[2]["peak_memory"] > used[0]["peak_memory"] + 250_000_000
    event = next(event for event in builder.events(report.run) if isinstance(event, AttemptEnded))
    assert event.memory == used[2]["peak_memory"]
    assert event.cpu >= 0.5
    whole = builder.executed(report.run, "a")["metadata"]["stagebook"]
    assert whole["executor"] == executor
    assert whole["profile"]["peak_memory"] == event.memory


@EXECUTORS
@pytest.mark.long
def test_outputs_and_signs_of_life_are_told_while_a_stage_runs(
    builder: ProjectBuilder, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[float, Event]] = []
    cell = "import time\nfor at in range(12):\n    print('line', at, flush=True)\n    time.sleep(0.5)"
    report = run(
        builder, executor, cell, listeners=[lambda events: heard.extend((time.time(), e) for e in events)]
    )
    assert report.status is Status.COMPLETED
    lines = [event for _, event in heard if isinstance(event, OutputWritten)]
    assert sum(event.size for event in lines) == sum(len(f"line {at}\n") for at in range(12))
    assert len(lines) >= 6  # as it goes, not at the end
    ended_at = next(at for at, event in heard if isinstance(event, AttemptEnded))
    first_at = next(at for at, event in heard if isinstance(event, OutputWritten))
    assert ended_at - first_at > 4
    alive = [event for _, event in heard if isinstance(event, AttemptProgress)]
    assert alive
    assert alive[0].memory > 0
    kept = {type(event).__name__ for event in builder.events(report.run)}
    assert "OutputWritten" not in kept  # it is in the log
    again = run(builder, executor, "x = 1")
    started = next(event for event in builder.events(again.run) if isinstance(event, AttemptStarted))
    assert started.expected is not None
    assert started.expected > 5


@EXECUTORS
def test_logs_follow_a_stage_until_it_has_ended(builder: ProjectBuilder, executor: str) -> None:
    builder.without_tracking()
    path = builder.notebook(
        "a",
        "import time, pathlib\nprint('first', flush=True)\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)\nprint('last')",
    )
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, executor: {executor}}}")
    going = subprocess.Popen([*COMMAND, "run"], cwd=builder.root, stdout=subprocess.DEVNULL)
    try:
        _until(builder.project.history.runs)
        with subprocess.Popen(
            [*COMMAND, "logs", "-f", "latest", "a"], cwd=builder.root, stdout=subprocess.PIPE, text=True
        ) as following:
            assert following.stdout is not None
            assert following.stdout.readline() == "first\n"
            (builder.root / "go").touch()
            assert following.stdout.read() == "last\n"
        assert following.returncode == 0
    finally:
        assert going.wait(timeout=60) == 0


def _until(condition: Any) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


@EXECUTORS
@pytest.mark.long
def test_a_dump_opens_in_a_debugger_with_the_variables(builder: ProjectBuilder, executor: str) -> None:
    cells = (
        "import pandas as pd\ndata = pd.DataFrame({'a': [1, 2]})",
        "def f(x):\n    y = x * 2\n    return y / 0\nf(21)",
    )
    report = run(builder, executor, *cells, keep_dump=True)
    assert report.history.stages["a"].dump == "failure.dump"
    # What the dump's writing prints is not of the notebook.
    assert [out["output_type"] for out in outputs(builder, report, 1)] == ["error"]
    done = subprocess.run(
        [*COMMAND, "debug", "latest", "a"],
        cwd=builder.root,
        input="p y\nu\np len(data)\nq\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "(Pdb) 42" in done.stdout
    assert "(Pdb) 2" in done.stdout


def test_a_stage_without_a_dump_says_how_to_get_one(builder: ProjectBuilder) -> None:
    run(builder, "inprocess", "1/0")
    done = subprocess.run(
        [*COMMAND, "debug", "latest", "a"], cwd=builder.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "left no dump" in done.stderr
    assert "stagebook run --debug-on-failure" in done.stderr


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.long
def test_a_kept_kernel_can_be_reached_and_ended(builder: ProjectBuilder, *, fork: bool) -> None:
    builder.without_tracking()
    settings = builder.root / "stagebook.toml"
    settings.write_text(settings.read_text() + f"[run]\nfork = {str(fork).lower()}\n")
    path = builder.notebook("a", "answer = 42", "1/0")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}}}")
    done = subprocess.run(
        [*COMMAND, "run", "--keep-kernel"], cwd=builder.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "jupyter console --existing" in done.stdout
    listed = json.loads(
        subprocess.run(
            [*COMMAND, "kernels", "--json"], cwd=builder.root, capture_output=True, check=True
        ).stdout
    )
    (kernel,) = listed["kernels"]
    file = kernel["connection_file"]
    assert json.loads(Path(file).read_text())["kernel_name"] == "python3"  # JupyterLab wants it
    client = BlockingKernelClient(connection_file=file)
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        reply = client.execute("", user_expressions={"a": "answer"}, reply=True, timeout=30)
        assert reply["content"]["user_expressions"]["a"]["data"]["text/plain"] == "42"
    finally:
        client.stop_channels()
    ended = subprocess.run(
        [*COMMAND, "kernels", "--end", "latest", "a"],
        cwd=builder.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "✓ the kernel of a has ended\n"
    assert processes.started_at(kernel["pid"]) is None
    assert kept_kernels(builder.project.history) == []


def test_check_warns_of_notebooks_that_need_a_kernel(builder: ProjectBuilder) -> None:
    path = builder.notebook(
        "a",
        "import ipywidgets\nname = input('?')",
        "get_ipython().kernel.do_shutdown",
        "import atexit\natexit.register(print)",
        "%config IPKernelApp.log_level = 10",
        "%connect_info",
    )
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, executor: inprocess}}")
    need = "    'executor: kernel' runs it"
    assert [str(warning) for warning in builder.plan().warnings] == [
        f"pipelines/p.yaml:2:7: '{path}' calls input(), and nobody can answer\n    pass it as a parameter",
        *(
            f"pipelines/p.yaml:2:36: cell {cell} of '{path}' {what}\n{need}"
            for cell, what in (
                (2, "uses the kernel itself, and there is none"),
                (3, "registers functions for the exit: what they print goes to the last cell"),
                (4, "changes settings of the kernel, and there is none"),
            )
        ),
    ]
    builder.pipeline(f"stages:\n  a: {{notebook: {path}}}")
    assert len(builder.plan().warnings) == 1


def test_check_warns_of_a_profile_that_is_not_used(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(builder.root / "ipython"))
    builder.file("ipython/profile_default/ipython_config.py", "c = get_config()  # noqa\n# c.a = 1\n")
    builder.file("ipython/profile_default/startup/README", "text")
    path = builder.notebook("a", "1")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}, executor: inprocess}}")
    assert builder.plan().warnings == ()
    startup = builder.file("ipython/profile_default/startup/00.py", "import numpy\n")
    (warning,) = builder.plan().warnings
    assert f"uses no profile of IPython, so {startup} is not run for '{path}'" in str(warning)


def test_another_language_is_refused_without_a_kernel(builder: ProjectBuilder) -> None:
    builder.notebook("a", "x <- 1", language="R")
    assert "is r, and 'executor: inprocess' runs Python only" in builder.screen(
        "stages:\n  a: {notebook: notebooks/a.ipynb, executor: inprocess}"
    )


def test_a_module_that_starts_threads_is_left_to_the_stages(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.file(
        "lib/startsthreads.py",
        "import threading, time\n_T = threading.Thread(target=time.sleep, args=(600,), daemon=True)\n_T.start()\n",
    )
    builder.file("lib/harmless.py", "x = 1")
    monkeypatch.setenv("PYTHONPATH", str(builder.root / "lib"), prepend=os.pathsep)
    builder.file(
        "stagebook.toml",
        '[tracking]\nenabled = false\n[run]\npreload = ["startsthreads", "harmless"]\n',
    )
    cell = "import sys\nprint(open('/proc/self/comm').read().strip(), 'harmless' in sys.modules, 'startsthreads' in sys.modules)"
    path = builder.notebook("a", cell, "import startsthreads")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}}}")
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED
    assert text(outputs(builder, report, 0)[0]) == "sb-kernel True False\n"
    log = (builder.root / ".stagebook/forkserver.log").read_text()
    assert "not imported ahead, because it starts threads: startsthreads" in log


ECHO = """
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Echo(Kernel):
    implementation, implementation_version, banner = "echo", "1", "echo"
    language_info = {"name": "echo", "mimetype": "text/plain", "file_extension": ".txt"}

    def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False):
        if code == "fail":
            content = {"ename": "Failed", "evalue": "as asked", "traceback": ["Failed: as asked"]}
            self.send_response(self.iopub_socket, "error", content)
            return {"status": "error", "execution_count": self.execution_count, **content}
        self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": code})
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

IPKernelApp.launch_instance(kernel_class=Echo)
"""


def test_a_kernel_of_another_language_starts_the_ordinary_way(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = builder.file("share/echokernel.py", ECHO)
    argv = [sys.executable, str(script), "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Echo", "language": "echo"}
    builder.file("share/kernels/echo/kernel.json", json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(builder.root / "share"))
    builder.without_tracking()
    path = builder.notebook("a", "hello there", "fail", "never", kernel="echo", language="echo")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}}}")
    report = builder.project.run("p")
    assert report.history.stages["a"].message == "Failed: as asked"
    assert text(outputs(builder, report, 0)[0]) == "hello there"
    assert builder.cell_statuses(report.run, "a") == ["completed", "failed", "pending"]
    assert builder.executed(report.run, "a")["metadata"]["language_info"]["name"] == "echo"


@pytest.mark.parametrize("fork", [True, False])
def test_a_long_name_of_the_temporary_folder_is_no_trouble(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch, *, fork: bool
) -> None:
    deep = builder.root / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setattr(tempfile, "tempdir", None)
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(fork).lower()}\n")
    path = builder.notebook("a", "import tempfile\nprint(tempfile.gettempdir(), end='')")
    builder.pipeline(f"stages:\n  a: {{notebook: {path}}}")
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    assert text(outputs(builder, report, 0)[0]) == str(deep)
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_run_that_is_refused_leaves_nothing_behind(builder: ProjectBuilder, tmp_path: Path) -> None:
    builder.pipeline("stages:\n  a: {notebook: notebooks/none.ipynb}")
    room = tmp_path / "t"
    room.mkdir()
    done = subprocess.run(
        [*COMMAND, "run"],
        cwd=builder.root,
        env={**os.environ, "TMPDIR": str(room)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert list(room.iterdir()) == []
