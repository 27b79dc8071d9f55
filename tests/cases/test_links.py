"""Symlinks, pipes and devices: data may live on another disk, and nothing else is followed out of the project
(data-symlink-refused, links in folder outputs)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from building import ProjectBuilder, ran
from commands import skip_without_mounts, stagebook
from stagebook.events import Cause, Status
from stagebook.observed import Observed
from stagebook.planning.plan import Decision
from stagebook.runs.run import RunReport

pytestmark = pytest.mark.kernel

EXECUTORS = pytest.mark.parametrize("executor", ["kernel", "inprocess"])


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder outside of the project."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def copying(builder: ProjectBuilder, executor: str = "kernel", *, folder: str = "data") -> None:
    builder.without_tracking()
    path = builder.notebook("a", "open(out, 'w').write(open(src).read())", params="src = ''\nout = ''")
    builder.pipeline(
        f"stages: {{a: {{notebook: {path}, executor: {executor}, "
        f"inputs: {{src: {folder}/raw.txt}}, outputs: {{out: {folder}/o.txt}}}}}}"
    )


@EXECUTORS
@pytest.mark.parametrize("link", ["data", "data/deep/er"])
@pytest.mark.long
def test_data_may_be_on_another_disk(builder: ProjectBuilder, disk: Path, executor: str, link: str) -> None:
    (builder.root / link).parent.mkdir(parents=True, exist_ok=True)
    (builder.root / link).symlink_to(disk)
    (disk / "raw.txt").write_text("1")
    copying(builder, executor, folder=link)
    report = builder.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    assert (disk / "o.txt").read_text() == "1"
    assert (builder.root / link).is_symlink()
    assert report.history.stages["a"].outputs["out"].path == f"{link}/o.txt"
    (plan,) = builder.plan().stages
    assert (plan.decision, plan.reasons) == (Decision.REUSE, ("nothing changed",))
    (disk / "o.txt").unlink()
    assert ran(builder.project.run("p")) == []
    assert (disk / "o.txt").read_text() == "1", "it came out of the store"
    (disk / "raw.txt").write_text("2")
    assert ran(builder.project.run("p")) == ["a"]


@EXECUTORS
def test_undeclared_reads_through_a_link_are_seen(builder: ProjectBuilder, disk: Path, executor: str) -> None:
    builder.without_tracking()
    (builder.root / "data").symlink_to(disk)
    builder.file("more/x", "")
    (builder.root / "more/there").symlink_to(disk)
    for name in ("by-link", "by-place", "deep"):
        (disk / name).write_text("1")
    path = builder.notebook(
        "a", f"open('data/by-link'); open('{disk}/by-place'); open('more/there/deep'); open('data/new', 'w')"
    )
    builder.pipeline(f"stages: {{a: {{notebook: {path}, executor: {executor}}}}}")
    report = builder.project.run("p")
    assert report.history.stages["a"].observed == Observed(
        reads=("data/by-link", "data/by-place", "more/there/deep"), writes=("data/new",)
    )


def test_a_link_to_another_file_system(builder: ProjectBuilder) -> None:
    skip_without_mounts()
    copying(builder)
    script = (
        "mkdir ../other && mount -t tmpfs none ../other && echo 1 > ../other/raw.txt && ln -s ../other data && "
        "python -m stagebook run && cat data/o.txt && test -L data"
    )
    done = stagebook(builder.root, "--version")
    assert done.returncode == 0
    import subprocess
    import sys

    from commands import environment

    bin_folder = str(Path(sys.executable).parent)
    env = environment(PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        cwd=builder.root, env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("1\n")


@pytest.mark.parametrize(
    ("link", "target", "said"),
    [
        ("data", "/etc", "that is a folder of the system"),
        ("data", "/", "the project itself is in it"),
        ("data", "..", "the project itself is in it"),
        ("data", "~", "that is private"),
        ("data", "~/.ssh", "that is private"),
        ("data", "../gone", "which is not there"),
        ("data", "../other/.git/objects", "that is a state"),
        ("data/raw.txt", "/etc/passwd", "that is a folder of the system"),
        ("data/raw.txt", "/dev/zero", "that is a folder of the system"),
    ],
)
def test_links_to_what_is_no_data_are_refused(
    builder: ProjectBuilder, disk: Path, monkeypatch: pytest.MonkeyPatch, link: str, target: str, said: str
) -> None:
    monkeypatch.setenv("HOME", str(disk))
    (disk / ".ssh").mkdir()
    (builder.root.parent / "other/.git/objects").mkdir(parents=True)
    copying(builder)
    (builder.root / link).parent.mkdir(exist_ok=True)
    (builder.root / link).symlink_to(target.replace("~", str(disk)))
    assert said in builder.screen()


def test_an_output_does_not_take_the_place_of_a_link(builder: ProjectBuilder, disk: Path) -> None:
    builder.without_tracking()
    (builder.root / "data").symlink_to(disk)
    (builder.root / "again").symlink_to(disk)
    (disk / "o.txt").symlink_to(disk / "elsewhere.txt")
    path = builder.notebook("a", "1", params="out = ''\nmore = ''")
    stage = f"stages: {{a: {{notebook: {path}, outputs: {{out: OUT}}}}}}"
    assert "'data' is a symlink to" in builder.screen(stage.replace("OUT", "data"))
    assert "'data/o.txt' is a symlink to" in builder.screen(stage.replace("OUT", "data/o.txt"))
    twice = stage.replace("OUT", "data/x, more: again/x")
    assert "is written by two outputs of a" in builder.screen(twice)


def test_a_pipe_or_device_is_no_input(builder: ProjectBuilder) -> None:
    copying(builder)
    (builder.root / "data").mkdir()
    os.mkfifo(builder.root / "data/raw.txt")
    done = stagebook(builder.root, "plan", timeout=30)
    assert (done.returncode, "'data/raw.txt' is neither a file nor a folder" in done.stderr) == (2, True)
    (builder.root / "data/raw.txt").unlink()
    builder.file("data/set/a", "1")
    os.mkfifo(builder.root / "data/set/pipe")
    builder.pipeline(
        "stages: {a: {notebook: notebooks/a.ipynb, inputs: {src: data/set}, outputs: {out: o.txt}}}"
    )
    assert stagebook(builder.root, "plan", timeout=30).returncode == 0


def _making(builder: ProjectBuilder, executor: str, cell: str) -> RunReport:
    builder.without_tracking()
    builder.file("kept.txt", "kept")
    builder.file("set/in.txt", "in")
    path = builder.notebook("a", f"import os, pathlib\n{cell}", params="out = ''")
    builder.pipeline(f"stages: {{a: {{notebook: {path}, executor: {executor}, outputs: {{out: data/out}}}}}}")
    return builder.project.run("p")


REFUSED = {
    "os.symlink('/etc/passwd', out)": "is a symlink to /etc/passwd, outside of the project",
    "os.symlink('nowhere', out)": "is a symlink to nowhere, which is not there",
    "os.symlink('/dev/zero', out)": "is a symlink to /dev/zero, outside of the project",
    "os.mkfifo(out)": "is neither a file nor a folder",
    "os.mkdir(out); os.symlink('/etc', out + '/in')": "'in' in the output 'out' (data/out) is a symlink to /etc",
    "os.makedirs(out + '/a'); os.mkfifo(out + '/a/pipe')": "'a/pipe' in the output",
    "os.mkdir(out); os.symlink(os.path.abspath(out), out + '/me')": "which it is in",
    "os.mkdir(out); os.symlink('gone', out + '/dangling')": "is a symlink to gone, which is not there",
}


@EXECUTORS
@pytest.mark.parametrize("cell", REFUSED)
def test_an_output_that_leads_elsewhere_fails_its_stage(
    builder: ProjectBuilder, executor: str, cell: str
) -> None:
    report = _making(builder, executor, cell)
    stage = report.history.stages["a"]
    assert (report.status, stage.cause) == (Status.FAILED, str(Cause.OUTPUT_MISSING)), stage.message
    assert REFUSED[cell] in stage.message
    assert not os.path.lexists(builder.root / "data/out")
    store = builder.root / ".stagebook/store"
    assert not [file for file in store.rglob("*") if file.is_file() and b"root:" in file.read_bytes()]


@EXECUTORS
def test_links_within_the_project_become_what_they_lead_to(builder: ProjectBuilder, executor: str) -> None:
    cell = (
        "os.mkdir(out)\n"
        "os.symlink(os.path.abspath('kept.txt'), out + '/kept')\n"
        "os.symlink(os.path.abspath('set'), out + '/set')\n"
        "pathlib.Path(out, 'model-3').write_text('3')\n"
        "os.symlink('model-3', out + '/latest')"
    )
    report = _making(builder, executor, cell)
    assert report.status is Status.COMPLETED, report.history.stages["a"].message
    out = builder.root / "data/out"
    found = {file.relative_to(out).as_posix(): file.read_text() for file in out.rglob("*") if file.is_file()}
    assert found == {"kept": "kept", "set/in.txt": "in", "model-3": "3", "latest": "3"}
    assert not [path for path in out.rglob("*") if path.is_symlink()]
    builder.file("data/out/kept", "changed")
    assert ran(builder.project.run("p")) == []
    assert (out / "kept").read_text() == "kept", "what came back is what was published"
    assert json.loads(json.dumps(report.history.stages["a"].outputs["out"].folder)) is True
    report = _making(builder, executor, "os.symlink(os.path.abspath('kept.txt'), out)")
    assert report.status is Status.COMPLETED
    assert (out.is_symlink(), out.read_text()) == (False, "kept")
    assert (builder.root / "kept.txt").read_text() == "kept"


def test_a_place_that_became_a_link_while_a_stage_ran_is_not_written_to(
    builder: ProjectBuilder, disk: Path
) -> None:
    cell = f"pathlib.Path(out).write_text('1'); os.mkdir('{disk}/.git'); os.symlink('{disk}/.git', 'data')"
    report = _making(builder, "kernel", cell)
    stage = report.history.stages["a"]
    assert (report.status, stage.cause) == (Status.FAILED, str(Cause.PUBLICATION))
    assert os.listdir(disk / ".git") == []
