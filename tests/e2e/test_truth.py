"""What is recorded is what happened: real kernels that fail in every way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from building import ProjectBuilder
from stagebook.events import AttemptEnded, Cause, Status
from stagebook.execution.attempt import MARKER
from stagebook.planning.select import Selection
from stagebook.runs.run import RunReport
from stagebook.system import processes
from stagebook.views.formatting import plain

pytestmark = pytest.mark.kernel

COMMAND = [sys.executable, "-m", "stagebook"]
PLATFORM = str(Path(__file__).parents[2] / "platform")
ENV = {**os.environ, "PYTHONPATH": PLATFORM}


def run_cells(builder: ProjectBuilder, *cells: str, extra: str = "") -> RunReport:
    """Run a pipeline of one stage `a` with these cells."""
    builder.without_tracking()
    path = builder.notebook("a", *cells)
    builder.pipeline(f"stages:\n  a: {{notebook: {path}{extra}}}")
    return builder.project.run("p")


def ended(builder: ProjectBuilder, report: RunReport) -> AttemptEnded:
    return next(event for event in builder.events(report.run) if isinstance(event, AttemptEnded))


EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])


@EXECUTORS
@pytest.mark.parametrize(
    ("cell", "cause", "message"),
    [
        ("1/0", Cause.EXCEPTION, "ZeroDivisionError: division by zero"),
        ("def broken(:", Cause.EXCEPTION, "SyntaxError"),
        ("import sys; sys.exit(3)", Cause.EXCEPTION, "SystemExit: 3"),
        ("import os; os._exit(3)", Cause.KERNEL_DIED, "with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", Cause.KERNEL_DIED, "killed by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Cause.KERNEL_DIED, "killed by SIGSEGV"),
    ],
)
def test_a_cell_that_fails_is_failed_and_those_after_it_never_ran(
    builder: ProjectBuilder, cell: str, cause: Cause, message: str, executor: str
) -> None:
    report = run_cells(builder, "x = 1", cell, "y = 2", extra=f", executor: {executor}")
    assert report.status is Status.FAILED
    event = ended(builder, report)
    assert (event.cause, event.cell, event.cells) == (cause, 2, 3)
    assert message in event.message
    assert builder.cell_statuses(report.run, "a") == ["completed", "failed", "pending"]
    assert builder.executed(report.run, "a")["metadata"]["papermill"]["exception"] is True


@EXECUTORS
def test_sys_exit_0_ends_a_notebook_well(builder: ProjectBuilder, executor: str) -> None:
    cells = ("import sys; sys.exit(0)", "raise RuntimeError")
    report = run_cells(builder, *cells, extra=f", executor: {executor}")
    assert report.status is Status.COMPLETED
    assert builder.cell_statuses(report.run, "a") == ["completed", "pending"]


@EXECUTORS
def test_an_expected_exception_is_no_failure(builder: ProjectBuilder, executor: str) -> None:
    cells = ("#tag raises-exception\n1/0", "print('on')")
    report = run_cells(builder, *cells, extra=f", executor: {executor}")
    assert report.status is Status.COMPLETED
    assert builder.cell_statuses(report.run, "a") == ["completed", "completed"]


@EXECUTORS
def test_a_timeout_shows_where_it_was(builder: ProjectBuilder, executor: str) -> None:
    cells = ("import time\ntime.sleep(600)", "never = 1")
    report = run_cells(builder, *cells, extra=f", timeout: 2s, executor: {executor}")
    event = ended(builder, report)
    assert (event.cause, event.message, event.cell) == (Cause.TIMEOUT, "not done after 2 s", 1)
    assert "time.sleep(600)" in plain(event.traceback)
    assert builder.cell_statuses(report.run, "a") == ["failed", "pending"]


@EXECUTORS
def test_a_cell_that_swallows_interrupts_is_ended_all_the_same(
    builder: ProjectBuilder, executor: str
) -> None:
    cell = "import time\nwhile True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n        pass"
    report = run_cells(builder, cell, extra=f", timeout: 1s, executor: {executor}")
    assert ended(builder, report).cause is Cause.TIMEOUT
    assert processes.marked(MARKER, f"{report.run}/a/1") == []


@EXECUTORS
def test_a_grandchild_that_left_its_parents_does_not_outlive_the_stage(
    builder: ProjectBuilder, executor: str
) -> None:
    cell = "import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 600 & echo $!'], start_new_session=True)"
    report = run_cells(builder, cell, extra=f", executor: {executor}")
    assert report.status is Status.COMPLETED
    assert processes.marked(MARKER, f"{report.run}/a/1") == []


def test_a_retry_keeps_the_notebook_of_each_attempt(builder: ProjectBuilder) -> None:
    cell = (
        "from pathlib import Path\n"
        "tried = Path('tried'); first = not tried.exists(); tried.touch()\n"
        "if first: raise OSError('not yet')"
    )
    report = run_cells(builder, cell, extra=", retries: 2, retry_delay: 10ms")
    assert report.status is Status.COMPLETED
    assert builder.cell_statuses(report.run, "a", 1) == ["failed"]
    assert builder.cell_statuses(report.run, "a", 2) == ["completed"]
    assert not (builder.root / f".stagebook/runs/{report.run}/a/3").exists()


def test_parameters_arrive_exactly(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    values = {
        "text": "quotes \" and ' and \\ and ${x} {y} \n newline é 你",
        "number": 0.1,
        "big": 2**70,
        "nothing": None,
        "yes": True,
        "many": [1, [2.5, "x"], {"k": None}],
        "table": {"a b": [1], "c": {"d": "e"}},
    }
    params = "\n".join(f"{name} = None" for name in values)
    params += "\nfrom datetime import date\nfrom pathlib import Path\nday: date = None\nplace: Path = None"
    check = f"import json\nassert json.loads({json.dumps(json.dumps(values))}) == "
    check += "{" + ", ".join(f"{name!r}: {name}" for name in values) + "}"
    more = "assert day == date(2013, 1, 31), day\nassert place == Path('a/b'), place"
    path = builder.notebook("a", check, more, params=params)
    stage = {"notebook": path, "params": {name: f"${{params.{name}}}" for name in values}}
    stage["params"] |= {"day": "2013-01-31", "place": "a/b"}  # type: ignore[operator]
    definition = {
        "params": {name: {"type": "Any", "default": value} for name, value in values.items()},
        "stages": {"a": stage},
    }
    builder.pipeline(json.dumps(definition))
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_dates_and_paths_are_objects_in_the_notebook_whatever_type_they_are_within(
    builder: ProjectBuilder, executor: str
) -> None:
    builder.without_tracking()
    params = """
    from datetime import date, datetime
    from pathlib import Path
    day: date | None = None
    later: None | date = None
    never: date | None = None
    at: datetime | None = None
    days: list[date] = []
    by_name: dict[str, date] = {}
    place: Path | None = None
    text: str | date = ""
    """
    check = """
    day_one = date(2013, 1, 31)
    assert (day, later, never) == (day_one, day_one, None), (day, later, never)
    assert at == datetime(2013, 1, 31, 12, 30), at
    assert days == [day_one, date(2013, 2, 1)], days
    assert by_name == {"a": day_one}, by_name
    assert place == Path("a/b"), place
    assert text == "2013-01-31", text
    """
    path = builder.notebook("a", textwrap.dedent(check), params=textwrap.dedent(params))
    given = {
        "day": "2013-01-31",
        "later": "2013-01-31",
        "at": "2013-01-31T12:30",
        "days": ["2013-01-31", "2013-02-01"],
        "by_name": {"a": "2013-01-31"},
        "place": "a/b",
        "text": "2013-01-31",
    }
    stage = {"notebook": path, "executor": executor, "params": given}
    builder.pipeline(json.dumps({"stages": {"a": stage}}))
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    meta = builder.executed(report.run, "a")["metadata"]["papermill"]["parameters"]
    assert {name: meta[name] for name in given} == given, "in the metadata they are text"


def test_modules_beside_the_notebook_import_and_the_working_directory_is_the_root(
    builder: ProjectBuilder,
) -> None:
    builder.file("notebooks/beside.py", "WORD = 'beside'")
    builder.file("at_root.py", "WORD = 'root'")
    cells = ("import beside, at_root, os", "assert (beside.WORD, at_root.WORD) == ('beside', 'root')")
    report = run_cells(builder, *cells, f"assert os.getcwd() == {str(builder.root)!r}, os.getcwd()")
    assert report.status is Status.COMPLETED


def test_the_source_notebook_is_never_written_to(builder: ProjectBuilder) -> None:
    report = run_cells(builder, "print('x')")
    assert report.status is Status.COMPLETED
    data = json.loads((builder.root / "notebooks/a.ipynb").read_text())
    assert [cell["outputs"] for cell in data["cells"]] == [[]]


def test_scraps_of_a_matrix_reach_a_later_stage_as_a_list(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    glue = """
    from IPython.display import display
    display({"application/scrapbook.scrap.json+json": {"name": "n", "data": n * 10, "encoder": "json", "version": 1}}, raw=True)
    """
    builder.notebook("a", glue, params="n = 0")
    builder.notebook(
        "b", "assert found == [10, 20], found\nassert first == 10", params="found = []\nfirst = 0"
    )
    builder.pipeline("""
        stages:
          a: {notebook: notebooks/a.ipynb, matrix: {n: [1, 2]}, params: {n: "${matrix.n}"}}
          b:
            notebook: notebooks/b.ipynb
            params: {found: "${stages.a.scraps.n}", first: "${stages.a.scraps.n[0]}"}
    """)
    project = builder.project
    assert project.run("p").status is Status.COMPLETED
    # And alone, from what the last run left.
    alone = project.run("p", selection=Selection(only=("b",)), force=True)
    statuses = {name: str(stage.status) for name, stage in alone.history.stages.items()}
    assert statuses == {"a@1": "skipped", "a@2": "skipped", "b": "completed"}


# -- publication ------------------------------------------------------------------------------------


def publishing(builder: ProjectBuilder, body: str) -> RunReport:
    builder.without_tracking()
    params = 'one = "one.txt"\ntwo = "two.txt"'
    builder.notebook("a", body, params=params)
    builder.pipeline("""
        stages:
          a:
            notebook: notebooks/a.ipynb
            outputs: {one: data/one.txt, two: data/sub/two.txt}
    """)
    return builder.project.run("p")


WRITE = "open(one, 'w').write('new')\nopen(two, 'w').write('new')"


def test_outputs_appear_together_and_replace_the_old_ones(builder: ProjectBuilder) -> None:
    builder.file("data/one.txt", "old")
    assert publishing(builder, WRITE).status is Status.COMPLETED
    assert (builder.root / "data/one.txt").read_text() == "new"
    assert (builder.root / "data/sub/two.txt").read_text() == "new"
    assert sorted(path.name for path in (builder.root / "data").iterdir()) == ["one.txt", "sub"]


def test_a_failure_leaves_the_last_good_outputs(builder: ProjectBuilder) -> None:
    builder.file("data/one.txt", "old")
    assert publishing(builder, WRITE + "\nraise ValueError").status is Status.FAILED
    assert (builder.root / "data/one.txt").read_text() == "old"
    assert not (builder.root / "data/sub").exists()


def test_one_missing_output_publishes_none(builder: ProjectBuilder) -> None:
    builder.file("data/one.txt", "old")
    report = publishing(builder, "open(one, 'w').write('new')")
    event = ended(builder, report)
    assert event.cause is Cause.OUTPUT_MISSING
    assert event.message == "the notebook ended without writing 'two' (data/sub/two.txt)"
    assert (builder.root / "data/one.txt").read_text() == "old"


def test_one_output_that_cannot_be_placed_publishes_none(builder: ProjectBuilder) -> None:
    builder.file("data/one.txt", "old")
    # The file in the way comes while the notebook runs: one that is there before is told by the plan.
    report = publishing(builder, f"{WRITE}\nopen('data/sub', 'w').write('a file where a folder has to be')")
    event = ended(builder, report)
    assert event.cause is Cause.PUBLICATION
    assert "data/sub/two.txt" in event.message
    assert (builder.root / "data/one.txt").read_text() == "old"
    assert sorted(path.name for path in (builder.root / "data").iterdir()) == ["one.txt", "sub"]


def test_a_full_disk_fails_the_stage_and_keeps_the_last_good_output(builder: ProjectBuilder) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("needs unshare, to mount a small file system")
    builder.without_tracking()
    builder.file("data/one.txt", "old")
    builder.notebook("a", "open(one, 'wb').write(b'x' * 20_000_000)", params='one = "one.txt"')
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb, outputs: {one: data/one.txt}}")
    (builder.root / ".stagebook/runs").mkdir(parents=True)
    mount = "mount -t tmpfs -o size=4m none .stagebook/runs && exec " + " ".join(COMMAND) + " run p"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, env=ENV, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stdout
    assert (builder.root / "data/one.txt").read_text() == "old"


@pytest.mark.long
def test_a_disk_without_room_for_the_journal_is_told_and_leaves_no_process(builder: ProjectBuilder) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("needs unshare, to mount a small file system")
    builder.without_tracking()
    builder.notebook("a", *["print('x' * 20_000)"] * 30)
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    (builder.root / ".stagebook").mkdir()
    for size in ("40k", "300k"):
        mount = f"mount -t tmpfs -o size={size} none .stagebook && exec " + " ".join(COMMAND) + " run p"
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, env=ENV, check=False
        )
        assert done.returncode in {1, 2}, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        said = done.stdout + done.stderr
        assert "disk" in said or "No space" in said
        assert [process for process in psutil.process_iter() if "/a/1" in _marker(process)] == []


def _marker(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARKER, "") if process.cwd() == str(Path.cwd()) else ""
    except psutil.Error:
        return ""


# -- stopping ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def slow_run(
    builder: ProjectBuilder,
    cell: str = "import time\ntime.sleep(600)",
    hears: signal.Handlers = signal.SIG_DFL,
) -> Iterator[subprocess.Popen[str]]:
    """`stagebook run` of two slow stages and one after them, at the point where both run a cell.
    `hears`: what SIGINT and SIGHUP are set to before, as in a terminal or under nohup."""
    builder.without_tracking()
    builder.notebook("slow", cell)
    builder.pipeline("""
        stages:
          a: {notebook: notebooks/slow.ipynb}
          b: {notebook: notebooks/slow.ipynb}
          c: {notebook: notebooks/slow.ipynb, after: [a, b]}
    """)
    command = [*COMMAND, "run", "p", "--json", "--jobs", "2"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=ENV,
        start_new_session=True,
        preexec_fn=lambda: [signal.signal(number, hears) for number in (signal.SIGINT, signal.SIGHUP)],
    ) as process:
        try:
            assert process.stdout is not None
            started: set[str] = set()
            while started != {"a", "b"}:
                event = json.loads(process.stdout.readline())
                if event["type"] == "CellStarted":
                    started.add(event["stage"])
            yield process
        finally:
            process.kill()


def left_of(builder: ProjectBuilder) -> tuple[str, list[psutil.Process]]:
    run = builder.project.history.runs()[0].id
    return run, [p for stage in "abc" for p in processes.marked(MARKER, f"{run}/{stage}/1")]


def test_a_run_under_nohup_hears_sigterm_alone(builder: ProjectBuilder) -> None:
    with slow_run(builder, hears=signal.SIG_IGN) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        # Another run is refused: the first one is still there, and has seen both signals by then.
        second = subprocess.run([*COMMAND, "run", "p"], capture_output=True, text=True, env=ENV, check=False)
        assert "is being run already" in second.stderr
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
        assert process.stdout is not None
        (cancelling,) = [line for line in process.stdout if "RunCancelling" in line]
    assert "SIGTERM" in cancelling


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_signal_cancels_a_run_and_leaves_no_process(builder: ProjectBuilder, number: int) -> None:
    with slow_run(builder) as process:
        process.send_signal(number)
        assert process.wait(timeout=60) == 130
    run, left = left_of(builder)
    assert left == []
    history = builder.project.history.of(builder.project.history.find(run))
    statuses = {name: stage.status for name, stage in history.stages.items()}
    assert statuses == dict.fromkeys("abc", Status.CANCELLED)
    assert history.status is Status.CANCELLED
    assert builder.cell_statuses(run, "a") == ["failed"]
    assert builder.executed(run, "a")["metadata"]["stagebook"]["cause"] == "cancelled"


def test_a_second_signal_ends_even_a_stage_that_swallows_interrupts(builder: ProjectBuilder) -> None:
    cell = "import time\nwhile True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n        pass"
    with slow_run(builder, cell) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["type"] != "RunCancelling":
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert left_of(builder)[1] == []


def test_a_killed_runner_takes_its_stages_along_and_the_next_command_says_so(builder: ProjectBuilder) -> None:
    with slow_run(builder) as process:
        process.kill()
        process.wait()
    left = left_of(builder)[1]
    psutil.wait_procs(left, timeout=30)
    assert left_of(builder)[1] == []
    run = builder.project.history.runs()[0]
    assert (run.status, run.reason) == (Status.INTERRUPTED, "its process vanished")
    statuses = {name: str(stage.status) for name, stage in builder.project.history.of(run).stages.items()}
    assert statuses == {"a": "interrupted", "b": "interrupted", "c": "blocked"}


def test_a_run_goes_on_when_nobody_reads_its_lines(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("a", "1")
    builder.pipeline("""
        stages:
          a: {notebook: notebooks/a.ipynb}
          b: {notebook: notebooks/a.ipynb, after: [a]}
    """)
    with subprocess.Popen([*COMMAND, "run", "p"], stdout=subprocess.PIPE, text=True, env=ENV) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=60)
    assert builder.project.history.runs()[0].status is Status.COMPLETED


def test_a_pipeline_has_one_owner(builder: ProjectBuilder) -> None:
    with slow_run(builder) as process:
        second = subprocess.run([*COMMAND, "run", "p"], capture_output=True, text=True, env=ENV, check=False)
        assert second.returncode == 2
        assert "'p' is being run already" in second.stderr
        assert "stop it with: stagebook cancel " in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert builder.project.history.runs()[0].status is Status.CANCELLED
