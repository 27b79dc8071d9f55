"""Clones of one project that share a store: the second one runs nothing, and no trouble of the store is one of a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from building import ProjectBuilder, ran
from commands import environment, looked, skip_without_mounts, stagebook, start
from shared import object_store, silent_server
from stagebook.events import Status
from stagebook.planning.plan import Decision
from stagebook.project import Project
from stagebook.runs.run import RunReport
from stagebook.sharing.document import SHARED

pytestmark = [pytest.mark.e2e, pytest.mark.kernel]

PIPELINE = """\
params: {n: 1}
defaults: {executor: inprocess}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "${params.n}"}
    outputs: {out: data/one.csv}
  b:
    notebook: notebooks/b.ipynb
    inputs: {one: a.out}
    outputs: {out: data/two}
"""
SETTINGS = '[tracking]\nenabled = false\n[store]\nremote = "{remote}"\nremote_timeout = {timeout}\n'
FOLDER = """
import os
os.makedirs(out + '/deep')
for name in ('x.csv', 'deep/y.csv'): open(f'{out}/{name}', 'w').write(open(one).read() * 2)
"""


def clone(root: Path, remote: str = "../remote", timeout: float = 10.0) -> ProjectBuilder:
    """A project as somebody else checks it out."""
    made = ProjectBuilder(root)
    made.file("stagebook.toml", SETTINGS.format(remote=remote, timeout=timeout))
    made.notebook("a", "open(out, 'w').write(f'n\\n{n}\\n')", params="n = 0\nout = ''")
    made.notebook("b", FOLDER, params="one = ''\nout = ''")
    made.pipeline(PIPELINE)
    return made


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[ProjectBuilder]:
    made = clone(tmp_path / "one")
    yield made
    made.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[ProjectBuilder]:
    made = clone(tmp_path / "two")
    yield made
    made.close()


def run(project: ProjectBuilder, n: int = 1) -> RunReport:
    report = project.project.run("p", {"n": n})
    assert report.status is Status.COMPLETED
    assert report.shared is not None
    assert (project.root / "data/one.csv").read_text() == f"n\n{n}\n"
    assert (project.root / "data/two/deep/y.csv").read_text() == f"n\n{n}\n" * 2
    return report


def said(report: RunReport) -> list[str]:
    assert report.shared is not None
    return [caution.message for caution in report.shared.cautions]


def blobs(remote: Path) -> list[Path]:
    return [path for path in (remote / "blobs").rglob("*") if path.is_file()]


def test_the_second_clone_runs_nothing(one: ProjectBuilder, two: ProjectBuilder, remote: Path) -> None:
    first = run(one)
    assert first.shared is not None
    assert (ran(first), first.shared.pushed, first.shared.left) == (["a", "b"], 2, 0)
    plan = two.plan()
    assert [stage.decision for stage in plan.stages] == [Decision.REUSE, Decision.REUSE]
    assert plan.stages[0].reasons[0] == f"as in the run {first.run} in the shared store"
    assert not (two.root / ".stagebook/journal.db").exists() or not two.project.history.runs()
    second = run(two)
    assert second.shared is not None
    assert (ran(second), second.shared.taken, second.shared.pushed) == ([], 2, 0)
    assert said(second) == []
    # The journal is self-contained, and the executed notebooks came along.
    shutil.rmtree(remote)
    result = two.project.journal.results.latest("p")["b"]
    assert (result.source, result.run) == (SHARED, first.run)
    assert two.executed(first.run, "b")["cells"] == one.executed(first.run, "b")["cells"]
    third = run(two)
    assert (ran(third), said(third)) == ([], [])
    assert third.quiet
    # What the code was is known as well: `why` shows the difference.
    two.edit("a", "write(", "write('' + ")
    explained = looked(two.root, "why", "p", "a").stdout
    assert "cell 2 changed" in explained
    assert "+" in explained


def test_what_changed_runs_and_the_rest_is_taken(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    two.edit("b", "* 2", "* 1 * 2")
    report = two.project.run("p")
    assert ran(report) == ["b"]
    # The outputs came out the same: who follows takes the new result of b too, with other code.
    one.edit("b", "* 2", "* 1 * 2")
    assert ran(run(one)) == []


def test_a_plan_says_what_depends_on_what_runs_before(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    two.edit("a", "open(", "'' or open(")
    decisions = {stage.id: stage.decision for stage in two.plan().stages}
    assert decisions == {"a": Decision.RUN, "b": Decision.WAIT}  # its head is known there
    assert ran(run(two)) == ["a"]


def test_a_reader_takes_and_gives_nothing(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(one)
    before = sorted(remote.rglob("*"))
    monkeypatch.setenv("STAGEBOOK_STORE_REMOTE_MODE", "read")
    assert ran(run(two)) == []
    report = run(two, n=2)
    assert ran(report) == ["a", "b"]
    assert said(report) == []
    assert sorted(remote.rglob("*")) == before
    pushed = looked(two.root, "store", "push")
    assert pushed.returncode == 2
    assert "is only read here" in pushed.stderr
    monkeypatch.delenv("STAGEBOOK_STORE_REMOTE_MODE")
    assert looked(two.root, "store", "push").returncode == 0
    assert ran(run(one, n=2)) == []


@pytest.mark.long
def test_a_folder_that_may_not_be_written_to_is_read(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    skip_without_mounts()
    run(one)
    # Mounted read-only: that holds for root, too.
    script = (
        f"set -e; mount --bind {remote} {remote}; mount -o remount,ro,bind {remote}; cd {two.root};"
        " python -m stagebook run; python -m stagebook run -p n=2; echo code=$?"
    )
    done = _in_mounts(script)
    assert "2 results taken from the shared store" in done
    assert done.count("nothing more can be put into it: Read-only file system") == 1
    assert "code=0" in done
    assert "2 results not put into the shared store yet: stagebook store push" in done
    assert looked(two.root, "store", "push").stdout == "2 results put into the shared store\n"
    assert ran(run(one, n=2)) == []


@pytest.mark.long
def test_a_full_store_is_said_and_what_is_left_comes_later(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    skip_without_mounts()
    script = (
        f"set -e; mount -t tmpfs -o size=32k tmpfs {remote}; dd if=/dev/zero of={remote}/filler bs=1k 2>/dev/null || true;"
        f" cd {one.root}; python -m stagebook run; echo code=$?; find {remote} -type f | grep -v filler | wc -l;"
        f" rm {remote}/filler; mount -o remount,size=10m {remote}; python -m stagebook store push;"
        f" cd {two.root}; python -m stagebook run; echo code=$?"
    )
    done = _in_mounts(script)
    assert done.count("code=0") == 2
    assert "nothing more can be put into it: No space left on device: make room there" in done
    assert "2 results put into the shared store" in done
    assert "2 results taken from the shared store" in done


def _in_mounts(script: str) -> str:
    words = ["unshare", "-rm", "sh", "-c", script.replace("python -m", f"{sys.executable} -m")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=240, check=False)
    return done.stdout + done.stderr


def test_what_is_damaged_is_computed_and_said(one: ProjectBuilder, two: ProjectBuilder, remote: Path) -> None:
    run(one)
    for path in blobs(remote):
        path.chmod(0o600)
        path.write_bytes(b"x" * path.stat().st_size)
    assert not two.plan().stages[0].runs  # nobody has read it yet
    report = run(two)
    assert ran(report) == ["a", "b"]
    (text,) = said(report)
    assert "a file in it is damaged" in text
    # What came of it is good again for all.
    three = clone(one.root.parent / "three")
    assert ran(run(three)) == []
    three.close()


def test_a_result_that_is_damaged_is_no_result(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    for path in remote.rglob("*.json"):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes().replace(b"data/", b"d\xffta"))
    done = looked(two.root, "plan")
    assert done.returncode == 0
    assert done.stdout.count("a result in it cannot be used") == 1
    assert ran(run(two)) == ["a", "b"]


def test_a_result_whose_blobs_are_gone_is_computed(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    shutil.rmtree(remote / "blobs")
    assert [stage.decision for stage in two.plan().stages] == [Decision.RUN, Decision.WAIT]
    report = run(two)
    assert (ran(report), said(report)) == (["a", "b"], [])


def test_a_blob_that_goes_while_the_run_takes_it_is_computed(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    project = two.project
    prepared = project.preparer.prepare(_request())
    assert not any(stage.runs for stage in prepared.plan.stages)
    shutil.rmtree(remote / "blobs")
    report = project.launcher.run(prepared, _request())
    assert report.status is Status.COMPLETED
    assert ran(report) == ["a", "b"]


def _request():
    from stagebook.runs.request import RunRequest

    return RunRequest(pipeline="p")


def test_a_store_that_is_absent_is_said_once(one: ProjectBuilder, remote: Path) -> None:
    remote.rmdir()
    done = stagebook(one.root, "run")
    assert done.returncode == 0
    assert done.stdout.count("there is no such folder") == 1
    assert "mkdir -p" in done.stdout
    assert not remote.exists()
    planned = looked(one.root, "plan", "-p", "n=5")
    assert planned.returncode == 0
    assert planned.stdout.count("there is no such folder") == 1
    told = json.loads(looked(one.root, "plan", "-p", "n=5", "--json").stdout)
    assert "there is no such folder" in told["shared"][0]["message"]
    status = looked(one.root, "store", "status")
    assert status.returncode == 1
    assert "there is no such folder" in status.stdout
    doctor = looked(one.root, "doctor")
    assert doctor.returncode == 0
    assert "there is no such folder" in doctor.stdout
    remote.mkdir()
    status = json.loads(looked(one.root, "store", "status", "--json").stdout)
    assert (status["remote"]["reached"], status["remote"]["waiting"]) == (True, 2)
    pushed = json.loads(looked(one.root, "store", "push", "--json").stdout)
    assert (pushed["pushed"], pushed["left"]) == (2, 0)


@pytest.mark.long
def test_a_store_that_hangs_holds_a_run_up_once_and_not_for_long(tmp_path: Path) -> None:
    with silent_server() as url:
        project = clone(tmp_path / "one", "s3://store/team", timeout=1.0)
        env = environment(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="me", AWS_SECRET_ACCESS_KEY="-")
        began = time.monotonic()
        done = stagebook(project.root, "run", env=env)
        took = time.monotonic() - began
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("it did not answer within 1 s; it is left alone: is it up") == 1
        assert "2 results not put into the shared store yet" in done.stdout
        without = stagebook(project.root, "run", "-p", "n=2", env=environment(STAGEBOOK_STORE_REMOTE=""))
        assert without.returncode == 0
        assert took < 30
        project.close()


@pytest.mark.long
def test_clones_share_an_object_store(tmp_path: Path) -> None:
    with object_store("store") as more:
        env = environment(**more)
        for name, words in (
            ("one", ("2 completed", "2 results put into the shared store")),
            ("two", ("2 reused", "2 results taken from the shared store")),
        ):
            project = clone(tmp_path / name, "s3://store/team", timeout=30.0)
            done = stagebook(project.root, "run", env=env)
            assert done.returncode == 0, done.stderr
            for text in words:
                assert text in done.stdout, done.stdout
            project.close()
        status = stagebook(tmp_path / "two", "store", "status", env=env)
        assert "✓ the shared store s3://store/team" in status.stdout
        found = stagebook(tmp_path / "two", "store", "gc", "--remote", "--days", "0", env=env)
        assert "0 results removed, 0 blobs, 0 B; 2 results kept" in found.stdout


def test_two_that_put_the_same_and_other_things_at_once(tmp_path: Path, remote: Path) -> None:
    clones = [clone(tmp_path / name) for name in ("one", "two")]
    processes = [
        start(project.root, "run", "-p", f"n={n}", stdout=subprocess.PIPE)
        for project, n in zip(clones, (1, 1), strict=True)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    third = clone(tmp_path / "three")
    report = run(third)
    assert (ran(report), said(report)) == ([], [])
    assert list((remote / "incoming").iterdir()) == []
    for project in (*clones, third):
        project.close()


def test_threads_that_push_one_project_at_once(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    os.environ["STAGEBOOK_STORE_REMOTE_MODE"] = "read"
    try:
        for n in (1, 2, 3):
            run(one, n)
    finally:
        del os.environ["STAGEBOOK_STORE_REMOTE_MODE"]
    pushed: list[int] = []

    def push() -> None:
        with Project.open(one.root) as project:
            sharing = project.launcher.sharing
            assert sharing is not None
            pushed.append(sharing.push(all_of_them=True).pushed)

    threads = [threading.Thread(target=push) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pushed == [6, 6, 6]
    for n in (1, 2, 3):
        assert ran(run(two, n)) == []


def test_what_is_of_use_in_one_project_alone_stays_there(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODE", "fast")
    for project in (one, two):
        project.notebook("c", "print(1)", params="x = 0")
        project.notebook("d", "open(out, 'w').write('d')", params="out = ''")
        project.pipeline("""
        defaults: {executor: inprocess}
        stages:
          effect: {notebook: notebooks/c.ipynb}
          variable: {notebook: notebooks/d.ipynb, env: [MODE], outputs: {out: data/v.txt}}
          always: {notebook: notebooks/d.ipynb, cache: false, outputs: {out: data/always.txt}}
          outside: {notebook: notebooks/d.ipynb, outputs: {out: {path: data/out.txt}, it: {path: "s3://x/y", kind: external}}}
          plain: {notebook: notebooks/d.ipynb, params: {x: 1}, outputs: {out: data/plain.txt}}
        """)
        project.notebook("d", "open(out, 'w').write('d')", params="out = ''\nit = ''\nx = 0")
    report = one.project.run("p")
    assert report.status is Status.COMPLETED
    assert report.shared is not None
    assert report.shared.pushed >= 1
    assert report.shared.private >= 3
    second = two.project.run("p")
    assert "plain" not in ran(second)
    assert {"effect", "variable", "always", "outside"} <= set(ran(second))


def test_an_audit_of_what_is_only_there(one: ProjectBuilder, two: ProjectBuilder, remote: Path) -> None:
    pytest.importorskip("duckdb")
    contract = """
    kind: DataContract
    apiVersion: v3.1.0
    id: one
    name: one
    version: 1.0.0
    status: active
    schema:
      - name: one
        properties:
          - name: n
            logicalType: integer
            required: {required}
    """
    for project, required in ((one, "false"), (two, "true")):
        project.pipeline(
            PIPELINE.replace(
                "{out: data/one.csv}", "{out: {path: data/one.csv, contract: contracts/one.yaml}}"
            )
        )
        project.file("contracts/one.yaml", contract.replace("{required}", required))
    run(one)
    plan = two.plan()
    assert plan.stages[0].decision is Decision.AUDIT, plan.stages[0].reasons
    report = run(two)
    assert report.history.stages["a"].cells == 0 or "a" in ran(report)


def test_what_somebody_accepted_is_taken_and_says_so(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    for project in (one, two):
        project.edit("a", "write(f", "write('' + f")
    accepted = looked(one.root, "accept", "p", "a", "--because", "only the style changed")
    assert accepted.returncode == 0, accepted.stderr
    assert looked(one.root, "store", "push").stdout == "1 result put into the shared store\n"
    stages = two.plan().stages
    assert [stage.decision for stage in stages] == [Decision.REUSE, Decision.REUSE]
    assert stages[0].reasons[0] == "accepted: only the style changed"
    assert ran(run(two)) == []


@pytest.mark.long
def test_a_sweep_and_a_deployment_share_as_runs_do(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    settings = (one.root / "stagebook.toml").read_text()
    for project in (one, two):
        project.file("stagebook.toml", f"{settings}[environments.prod]\nkeep_days = 1\n")
    done = stagebook(one.root, "sweep", "p", "-p", "n=[3, 4]")
    assert done.returncode == 0, done.stdout + done.stderr
    done = stagebook(one.root, "deploy", "--to", "prod", "--yes", "--allow-dirty")
    assert done.returncode == 0, done.stdout + done.stderr
    for n in (1, 3, 4):
        assert ran(run(two, n)) == []
    remote.rename(remote.with_name("away"))
    done = stagebook(one.root, "sweep", "p", "-p", "n=[5, 6]")
    assert done.returncode == 0
    assert done.stdout.count("there is no such folder") == 1


def test_production_publishes_what_a_colleague_computed(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    run(one)
    settings = (two.root / "stagebook.toml").read_text()
    two.file("stagebook.toml", f"{settings}[environments.prod]\nkeep_days = 1\n")
    done = stagebook(two.root, "run", "--env", "prod")
    assert done.returncode == 0, done.stdout
    assert "2 results taken from the shared store" in done.stdout
    current = two.root / "environments/prod/current"
    assert (current / "data/one.csv").read_text() == "n\n1\n"
    assert (current / "executed/p/b.ipynb").is_file()


@pytest.mark.long
def test_a_table_that_is_overwritten_is_shared_and_one_that_grows_is_not(
    one: ProjectBuilder, two: ProjectBuilder, remote: Path
) -> None:
    pytest.importorskip("deltalake")
    for project in (one, two):
        project.notebook(
            "t", "import pandas\npandas.DataFrame({'n': [1, 2]}).to_parquet(out)", params="out = ''"
        )
        project.pipeline("""
        defaults: {executor: inprocess}
        stages:
          whole: {notebook: notebooks/t.ipynb, outputs: {out: {path: data/whole, kind: delta, mode: overwrite}}}
          grows: {notebook: notebooks/t.ipynb, outputs: {out: {path: data/grows, kind: delta, mode: append}}}
        """)
    report = one.project.run("p")
    assert report.status is Status.COMPLETED, report.history.stages
    assert report.shared is not None
    assert (report.shared.pushed, report.shared.private) == (1, 1)
    second = two.project.run("p")
    assert ran(second) == ["grows"]
    shown = looked(two.root, "data", "show", "p.whole.out")
    assert shown.returncode == 0, shown.stderr
    assert ran(two.project.run("p")) == []
