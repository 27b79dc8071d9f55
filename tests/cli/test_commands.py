"""The commands as processes, from `init` to `logs`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest

import commands


def stagebook(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints, with ids and times replaced; errors come after the output."""
    done = commands.stagebook(folder, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def normal(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "HH:MM:SS", text)
    text = re.sub(r" +\d+(\.\d)? s\b", " N s", text)
    text = re.sub(r"(just now|\d+ min ago)", "WHEN", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


@pytest.mark.kernel
@pytest.mark.e2e
def test_from_init_to_logs(tmp_path: Path) -> None:
    assert (
        stagebook(tmp_path, "init", "demo")
        == """\
  demo/README.md
  demo/contracts/hello.measure.readings.yaml
  demo/.gitignore
  demo/notebooks/hello/measure.ipynb
  demo/notebooks/hello/report.ipynb
  demo/notebooks/hello/summarise.ipynb
  demo/pipelines/hello.yaml
  demo/stagebook.toml

next   cd demo
next   stagebook run
"""
    )
    demo = tmp_path / "demo"
    assert stagebook(demo, "check") == "✓ pipelines/hello.yaml: 4 stages, no problems\n"
    plan = json.loads(stagebook(demo, "plan", "--json"))
    assert (
        normal(stagebook(demo, "run", "-j1"))
        == """\
HH:MM:SS hello: run RUN, 4 stages, 1 at a time
HH:MM:SS ▶ measure@garden started
HH:MM:SS ✓ measure@garden completed in N s
HH:MM:SS ▶ measure@roof started
HH:MM:SS ✓ measure@roof completed in N s
HH:MM:SS ▶ summarise started
HH:MM:SS ✓ summarise completed in N s
HH:MM:SS ▶ report started
HH:MM:SS ✓ report completed in N s
HH:MM:SS ✓ RUN completed

✓ hello completed in N s: 4 completed

output               size    stage
data/raw/garden.csv  2.7 kB  measure@garden
data/raw/roof.csv    2.4 kB  measure@roof
data/summary.csv     79 B    summarise
data/report.html     767 B   report

each stage   stagebook status hello
in MLflow    stagebook ui"""
    )
    assert (
        re.sub(" +", " ", normal(stagebook(demo, "status")))
        == """\
hello last run RUN ✓ completed WHEN
stage last outcome when time next run
measure@garden ✓ completed WHEN N s up to date
measure@roof ✓ completed WHEN N s up to date
summarise ✓ completed WHEN N s up to date readings=336 mean_temperature=15.14
report ✓ completed WHEN N s up to date"""
    )
    status = json.loads(stagebook(demo, "status", "hello", "--json"))["pipelines"]["hello"]
    assert list(status) == [stage["id"] for stage in plan["stages"]]
    assert {stage["status"] for stage in status.values()} == {"completed"}
    (record,) = json.loads(stagebook(demo, "runs", "--json"))["runs"]
    assert record["params"] == plan["params"]
    assert record["origin"]["command"].startswith("stagebook run")
    assert stagebook(demo, "logs", "latest", "measure@roof").endswith("\n168 readings of roof\n")
    assert "report completed" in stagebook(demo, "logs")
    events = json.loads(stagebook(demo, "logs", "--json"))["events"]
    assert events[0]["plan"] == plan
    # The same, as lines of JSON.
    lines = stagebook(demo, "run", "--only", "report", "--json").splitlines()
    assert [json.loads(line)["type"] for line in lines if "Cell" not in line][-2:] == [
        "RunEnded",
        "RunReport",
    ]
    assert stagebook(demo, "sync") == "✓ MLflow has every record\n"


@pytest.mark.kernel
@pytest.mark.long
def test_a_failed_run_says_where_and_how_to_go_on(tmp_path: Path) -> None:
    stagebook(tmp_path, "init", "demo")
    demo = tmp_path / "demo"
    (demo / "stagebook.toml").write_text("[tracking]\nenabled = false\n")
    path = demo / "notebooks/hello/summarise.ipynb"
    notebook = json.loads(path.read_text())
    good = notebook["cells"][2]["source"]
    notebook["cells"][2]["source"] = "raise ValueError('no readings today')"
    path.write_text(json.dumps(notebook))
    shown = normal(stagebook(demo, "run", "-p", "days=2", code=1))
    assert (
        shown[shown.index("✗ hello") :]
        == """\
✗ hello failed in N s: 2 completed, 1 failed, 1 blocked

✗ summarise failed in cell 3 of 5
  ValueError: no readings today
  │ ---------------------------------------------------------------------------
  │ ValueError                                Traceback (most recent call last)
  │ Cell In[3], line 1
  │ ----> 1 raise ValueError('no readings today')
  │ ValueError: no readings today
  notebook  .stagebook/runs/RUN/summarise/2/notebook.ipynb
  log       stagebook logs RUN summarise

go on with   stagebook resume RUN

each stage   stagebook status hello"""
    )
    # And the command that it names does go on.
    notebook["cells"][2]["source"] = good
    path.write_text(json.dumps(notebook))
    done = normal(stagebook(demo, "resume"))
    assert "✓ hello completed in N s: 2 completed, 2 reused" in done


@pytest.mark.long
def test_bad_requests_are_told_and_start_nothing(tmp_path: Path) -> None:
    assert stagebook(tmp_path, "status", code=2).startswith("✗ no project in ")
    stagebook(tmp_path, "init", "demo")
    demo = tmp_path / "demo"
    assert stagebook(tmp_path, "init", "demo", code=2) == (
        "✗ 'demo/README.md' is there already\n  name a new folder: stagebook init NAME; nothing was written\n"
    )
    assert stagebook(demo, "run", "helo", code=2) == (
        "✗ there is no pipeline 'helo'\n  did you mean 'hello'?\n"
    )
    assert stagebook(demo, "run", "hello", "reprot", code=2) == (
        "✗ no stage 'reprot'\n  did you mean 'report'?\n"
    )
    assert stagebook(demo, "run", "-p", "day=3", code=2) == (
        "-p: unknown parameter 'day'\n    did you mean 'days'?\n✗ 1 problem, nothing was started\n"
    )
    assert "days: how many days of readings" in stagebook(demo, "plan", "-p", "days=soon", code=2)
    assert stagebook(demo, "run", "--only", "report", code=2).startswith(
        "pipelines/hello.yaml:27:15: report needs 'data/summary.csv', which is not there\n"
    )
    assert "has to be 1 or more" in stagebook(demo, "run", "-j", "0", code=2)
    assert "No such option" in stagebook(demo, "run", "--nope", code=2)
    assert stagebook(demo, "logs", "latest", code=2).startswith("✗ nothing was run yet")
    assert stagebook(demo, "runs") == "nothing was run yet; start with: stagebook run\n"
    assert not (demo / ".stagebook/journal.db").exists()
    assert not (demo / "data").exists()


def test_status_before_the_first_run(tmp_path: Path) -> None:
    stagebook(tmp_path, "init", "demo")
    shown = stagebook(tmp_path / "demo", "status")
    assert re.sub(" +", " ", normal(shown)).splitlines()[2] == "measure@garden ○ never ran new"


def test_light_commands_import_nothing_heavy(tmp_path: Path) -> None:
    stagebook(tmp_path, "init", "demo")
    code = (
        "import sys; sys.argv = ['stagebook', {!r}]\n"
        "from stagebook.cli import main\n"
        "main()\n"
        "heavy = {{'papermill', 'nbformat', 'mlflow', 'pandas', 'numpy', 'jupyter_client', 'jupytext'}}\n"
        "sys.stderr.write(repr(sorted(heavy & set(sys.modules))))"
    )
    for command in ("--help", "check", "plan", "status", "runs"):
        done = commands.python(tmp_path / "demo", "-c", code.format(command))
        assert (done.returncode, done.stderr) == (0, "[]"), command


@pytest.mark.e2e
@pytest.mark.long
def test_ui_serves_mlflow_on_loopback_and_leaves_no_process(tmp_path: Path) -> None:
    stagebook(tmp_path, "init", "demo")
    with commands.start(tmp_path / "demo", "ui", "--json", stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert answer.status == 200
            family = psutil.Process(process.pid).children(recursive=True)
            assert family
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
