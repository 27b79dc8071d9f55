"""Publications, deployments and rollbacks that are killed: readers see the old version or the new one, whole, and the next
command goes on."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import environment, python
from effort import SEED, amount, figure
from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.published.manifest import Manifest
from stagebook.reading import dataset

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
PIPELINE = """\
params: {n: 1}
defaults: {executor: inprocess}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "${params.n}"}
    outputs: {one: data/one.csv, two: data/two.csv}
  b:
    notebook: notebooks/b.ipynb
    inputs: {one: a.one}
    outputs: {three: data/three.csv}
"""
# Runs a command of Stagebook that kills itself.
COMMAND = """
import sys
sys.path.insert(0, {here!r})
from killing import kill_at
kill_at({folder!r}, {number})
sys.argv[1:] = {words!r}
from stagebook.cli import main
sys.exit(main())
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.file(
        "stagebook.toml",
        "[tracking]\nenabled = false\n[environments.prod]\nkeep_days = 0\n[run]\nfork = false\n",
    )
    builder.notebook(
        "a",
        "for path in (one, two): open(path, 'w').write(f'n\\n{n}\\n')",
        params="n = 0\none = ''\ntwo = ''",
    )
    builder.notebook("b", "open(three, 'w').write(open(one).read())", params="one = ''\nthree = ''")
    builder.pipeline(PIPELINE)
    return builder


def killed(root: Path, folder: Path, number: int, *words: str) -> int:
    """The exit code of a command that kills itself at an operation on files below a folder."""
    code = COMMAND.format(here=str(HERE), folder=str(folder), number=number, words=list(words))
    return python(root, "-c", code, env=environment()).returncode


def seen(root: Path) -> tuple[int, str] | None:
    """The version that readers see, and what all of its datasets hold; checked to be whole."""
    current = root / "environments/prod/current"
    if not current.is_symlink():
        return None
    manifest = Manifest.from_text((current / "manifest.json").read_bytes())
    texts = {(current / one.artifact.path).read_text() for one in manifest.datasets.values()}
    assert len(manifest.datasets) == 3
    assert len(texts) == 1, "a mixture"
    return manifest.version, texts.pop()


def places(root: Path, folder: Path, *words: str) -> range:
    """Random places at which a command is killed below a folder: of all that it comes to when it is not."""
    code = COMMAND.format(here=str(HERE), folder=str(folder), number=0, words=list(words))
    done = python(root, "-c", code, env=environment())
    assert done.returncode == 0, done.stderr
    return range(1, int(done.stderr.rpartition("operations=")[2]) + 1)


def of_run(root: Path, n: int, number: int) -> int:
    return killed(root, root / "environments", number, "run", "--env", "prod", "-p", f"n={n}")


@pytest.mark.long
def test_a_run_that_is_killed_while_it_publishes_shows_the_old_version_or_the_new_one(
    project: ProjectBuilder,
) -> None:
    root = project.root
    assert of_run(root, 0, 0) == 0
    met = {"old": 0, "new": 0}
    operations = places(root, root / "environments", "run", "--env", "prod", "-p", "n=-1")
    dice = random.Random(SEED)
    for n in range(1, amount(3, 100)):
        # Of few, one is around the move of the pointer, which is among the last operations.
        before, number = seen(root), operations[-dice.randint(1, 12)] if n % 2 else dice.choice(operations)
        assert before is not None
        code = of_run(root, n, number)
        now = seen(root)
        assert now is not None
        assert code in {0, -signal.SIGKILL}
        new = now[1] == f"n\n{n}\n"
        assert new or now == before
        met["new" if new else "old"] += 1
        # The next command goes on: it shows what the run came to, and runs nothing again.
        assert of_run(root, n, 0) == 0
        after = seen(root)
        assert after is not None
        assert after[1] == f"n\n{n}\n"
        with Project.open(root, "prod") as prod:
            manifest = prod.environments.versions(prod.placement.environment).current()
            runs = {run.id for run in prod.history.runs(limit=500)}
        assert manifest is not None
        assert manifest.pipelines["p"].run in runs
        left = [name for name in os.listdir(root / "environments/prod/versions") if not name.isdigit()]
        assert left == []
    figure(
        "runs of an environment killed while they publish",
        f"{sum(met.values())}: {met['old']} old, {met['new']} new",
    )


@pytest.mark.long
def test_a_rollback_that_is_killed_shows_one_version_or_the_other(project: ProjectBuilder) -> None:
    root = project.root
    for n in (1, 2):
        assert of_run(root, n, 0) == 0
    count, operations = 0, places(root, root / "environments", "rollback", "--env", "prod", "--to", "1")
    for _ in range(1, amount(3, 60)):
        before, number = seen(root), random.Random(SEED + count).choice(operations)
        assert before is not None
        to, text = ("2", "n\n2\n") if before[1] == "n\n1\n" else ("1", "n\n1\n")
        words = ("rollback", "--env", "prod", "--to", to)
        code = killed(root, root / "environments", number, *words)
        now = seen(root)
        assert now is not None
        assert now == before or now[1] == text
        assert code in {0, -signal.SIGKILL}
        count += code != 0
        if now == before:
            assert killed(root, root / "environments", 0, *words) == 0
        after = seen(root)
        assert after is not None
        assert after[1] == text
    figure("rollbacks killed", count)


@pytest.mark.long
def test_a_deployment_that_is_killed_leaves_the_code_and_the_data_of_one_version(
    project: ProjectBuilder,
) -> None:
    root = project.root
    words = ("deploy", "--to", "prod", "--yes", "--allow-dirty")
    assert killed(root, root, 0, *words) == 0
    met = {"old": 0, "new": 0}
    state = root / ".stagebook/environments/prod"
    for n in range(1, amount(2, 100)):
        before = seen(root)
        project.pipeline(PIPELINE.replace("n: 1", f"n: {n + 1}"))
        folder, number = [
            (root / "environments", n),
            (state / "trees", 2 * n),
            (root / ".stagebook/releases", 1),
        ][(n - 1) % 3]
        code = killed(root, folder, number, *words)
        assert code in {0, -signal.SIGKILL}
        now = seen(root)
        with Project.open(root, "prod") as prod:
            release = prod.placement.release
            params = prod.catalog.load("p").pipeline.params["n"].default
        assert release is not None
        assert now is not None
        # The code that runs next is that of what is shown.
        assert now[1] == f"n\n{params}\n"
        assert now == before or now[1] == f"n\n{n + 1}\n"
        met["old" if now == before else "new"] += 1
        assert killed(root, root, 0, *words) == 0
        after = seen(root)
        assert after is not None
        assert after[1] == f"n\n{n + 1}\n"
    figure("deployments killed", f"{sum(met.values())}: {met['old']} old, {met['new']} new")


@pytest.mark.long
def test_who_reads_two_datasets_while_versions_come_never_sees_a_mixture(project: ProjectBuilder) -> None:
    root = project.root
    assert of_run(root, 0, 0) == 0
    versions = Project.open(root).environments
    shown = versions.versions(versions.find("prod"))
    stop, wrong, reads = threading.Event(), [], amount(100, 10_000)

    def publish() -> None:
        """Show one of two versions after the other, as fast as can be."""
        for number in itertools.cycle((1, 2)):
            if stop.is_set():
                return
            shown.point_to(number)

    assert of_run(root, 1, 0) == 0
    thread = threading.Thread(target=publish)
    thread.start()
    try:
        for _ in range(reads):
            one = dataset("p.a.one", env="prod", project=root)
            two = dataset("p.a.two", env="prod", project=root)
            pair = (one.path.read_text(), two.path.read_text(), one.version, two.version)
            if pair[0] != pair[1] or pair[2] != pair[3]:
                wrong.append(pair)
            del one, two
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    figure("two datasets of a version read while versions come", f"{reads:,} times, no mixture")


@pytest.mark.long
def test_a_full_disk_shows_nothing_and_loses_nothing(project: ProjectBuilder, tmp_path: Path) -> None:
    from commands import skip_without_mounts

    skip_without_mounts()
    root = project.root
    assert of_run(root, 0, 0) == 0
    before = seen(root)
    folder = root / "environments/prod"
    # A disk of its own for what readers see, with the versions that are there and no room for another one.
    script = (
        f"set -e; cp -a {folder} {tmp_path}/kept; mount -t tmpfs -o size=64k tmpfs {folder}; cp -a {tmp_path}/kept/. {folder}/;"
        f" dd if=/dev/zero of={folder}/filler bs=1k 2>/dev/null || true;"
        f" cd {root}; set +e; {sys.executable} -m stagebook run --env prod -p n=7; echo code=$?; cat {folder}/current/data/one.csv;"
        f" ls -A {folder}/versions; rm {folder}/filler; {sys.executable} -m stagebook run --env prod -p n=7 >/dev/null; echo code=$?;"
        f" cat {folder}/current/data/three.csv"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.split()
    assert "code=2" in told
    assert "could not be made: No space left on device" in done.stderr
    assert told[told.index("code=2") + 1 : told.index("code=2") + 4] == ["n", "0", "000001"]
    assert told[-3:] == ["code=0", "n", "7"]
    assert before == seen(root)


@pytest.mark.long
def test_an_environment_that_cannot_be_written_is_told(project: ProjectBuilder) -> None:
    root = project.root
    assert of_run(root, 0, 0) == 0
    project.file("environments/prod/current2")
    (root / "environments/prod/current").unlink()
    (root / "environments/prod/current").mkdir()
    with Project.open(root, "prod") as prod, pytest.raises(UsageError, match="cannot be moved"):
        prod.run("p", {"n": 3})
    assert json.loads((root / "environments/prod/versions/000001/manifest.json").read_text())["version"] == 1
