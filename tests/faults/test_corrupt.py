"""Projects whose state is damaged: each command says clearly what is wrong, and after `doctor --repair`
a run comes to what it comes to in a clean project."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from commands import COMMAND, environment, skip_without_mounts
from effort import SEED, amount, figure
from stagebook.cli.app import run_app

pytestmark = pytest.mark.e2e

CODES = {0, 1, 2, 3}  # as documented
FAULT = re.compile(r"^Traceback", re.MULTILINE)  # and not that of a notebook, which is shown further in
LOOKS = (
    ("status", "p"), ("status", "p", "--json"), ("plan", "p"), ("plan", "p", "-p", "n=1"), ("runs",), ("logs",),
    ("logs", "latest", "load"), ("why", "p"), ("check", "p"), ("kernels",), ("store", "gc", "--dry-run"),
    ("status", "p", "--check"),
)  # fmt: skip
STAGES: dict[str, Any] = {
    "load": ("open(out, 'w').write('n=%d ' % n * 200)", {"outputs": {"out": "data/load.txt"}}),
    "folder": (
        "import os\nos.makedirs(out + '/deep')\nfor at in range(3): open(f'{out}/deep/{at}', 'w').write(str(at + n) * 99)",
        {"outputs": {"out": "data/folder"}},
    ),
    "join": (
        "open(out, 'w').write(open(load).read() + open(folder + '/deep/0').read())",
        {"inputs": {"load": "load.out", "folder": "folder.out"}, "outputs": {"out": "data/join.txt"}},
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said:
    """What a command said, and the code that it ended with."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


class Project:
    """A project in a folder, and its commands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / ".stagebook"

    def say(self, *words: str) -> Said:
        """A command that runs no stage, in this process: a failure of Stagebook is one of the test."""
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        argv = sys.argv
        try:
            os.chdir(self.root)
            sys.argv = ["stagebook", *words]
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = int(run_app())
        finally:
            sys.argv = argv
            os.chdir(before)
        said = Said(words=words, code=code, out=out.getvalue(), err=err.getvalue())
        assert code in CODES, said
        assert code != 2 or said.err.strip() or '"error"' in said.out, said
        assert not FAULT.search(said.all), said
        return said

    def run(self, *words: str, prefix: tuple[str, ...] = ()) -> Said:
        """A command in a process of its own."""
        done = subprocess.run(
            [*prefix, *COMMAND, *words], cwd=self.root, capture_output=True, text=True, env=environment(),
            check=False, timeout=120,
        )  # fmt: skip
        assert not FAULT.search(done.stdout + "\n" + done.stderr), (words, done.stdout, done.stderr)
        assert done.returncode in CODES, (words, done)
        return Said(words=words, code=done.returncode, out=done.stdout, err=done.stderr)

    def outputs(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted((self.root / "data").rglob("*"))
            if path.is_file() and path.suffix not in {".incoming", ".before"}  # the doctor's, in an hour
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Template:
    """A project with a history: results for two parameters, and a run that failed. `outputs` are what a
    parameter comes to."""

    root: Path
    outputs: dict[int, dict[str, bytes]]

    def copy(self, root: Path) -> Project:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    root = tmp_path_factory.mktemp("template") / "p"
    root.mkdir()
    builder = ProjectBuilder(root)
    stages = {}
    for name, (cell, more) in STAGES.items():
        builder.notebook(name, cell, params="out = load = folder = ''\nn = 0")
        params = {"n": "${params.n}"}
        stages[name] = {
            "notebook": f"notebooks/{name}.ipynb",
            "executor": "inprocess",
            "params": params,
            **more,
        }
    builder.pipeline(json.dumps({"params": {"n": 2}, "stages": stages}))
    builder.without_tracking()
    project = Project(root)
    outputs = {}
    for n in (1, 2):
        done = project.run("run", "p", "-p", f"n={n}")
        assert done.code == 0, done
        outputs[n] = project.outputs()
    good = (root / "notebooks/join.ipynb").read_text()
    (root / "notebooks/join.ipynb").write_text(good.replace("open(out", "1 / 0; open(out"))
    failed = project.run("run", "p", "-p", "n=3")
    assert failed.code == 1
    (root / "notebooks/join.ipynb").write_text(good)
    assert outputs[1] != outputs[2]
    return Template(root=root, outputs=outputs)


def _broke_off(said: Said) -> bool:
    """Whether a run that had begun was ended since its journal could not be written."""
    return said.code == 1 and "the journal" in said.all and "cannot be used" in said.all


def hold_against_a_clean_one(project: Project, template: Template, how: str, dice: random.Random) -> str:
    """Look at a damaged project with each command, mend it, and run it. What was met."""
    met = "harmless"
    for words in LOOKS:
        said = project.say(*words)
        if said.code == 2:
            met = "told" if words[0] != "logs" else met
            assert words[0] == "logs" or "stagebook doctor" in said.all or "see that" in said.all, (how, said)
    asked = project.say("doctor")
    if asked.code == 1:
        met = "told by the doctor"
        assert "✗" in asked.out
    before = project.run("run", "p", "-p", "n=1")
    assert before.code in {0, 2} or _broke_off(before), (how, before)
    if before.code == 0:
        assert project.outputs() == template.outputs[1], (how, "a wrong result")
    else:
        assert "stagebook doctor" in before.all or "see that" in before.all, (how, before)
    resumed = project.run("resume")
    assert resumed.code in {0, 2} or _broke_off(resumed), (how, resumed)
    mended = project.say("doctor", "--repair", "--store")
    assert mended.code == 0, (how, mended)
    again = project.say("doctor", "--store")
    assert again.code == 0, (how, again)
    assert "✗" not in again.out, (how, again)
    for n in dice.sample([1, 2], 2):
        if dice.random() < 0.5:
            shutil.rmtree(project.root / "data", ignore_errors=True)
        done = project.run("run", "p", "-p", f"n={n}")
        assert done.code == 0, (how, done)
        assert project.outputs() == template.outputs[n], (how, "a wrong result")
    for words in LOOKS:
        said = project.say(*words)
        assert said.code in {0, 3} or words[0] == "logs", (how, said)
    return met


# -- ways to damage it --------------------------------------------------------------------------


def flip(path: Path, dice: random.Random, count: int = 1) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(count):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    write(path, bytes(data))


def write(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def truncate(path: Path, dice: random.Random) -> None:
    data = path.read_bytes()
    write(path, data[: dice.randrange(len(data))])


def flip_in_text(path: Path, dice: random.Random, text: bytes) -> None:
    """Somewhere after a text that occurs in the file."""
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data)) if data.startswith(text, at)]
    at = dice.choice(places) + dice.randrange(120)
    data[min(at, len(data) - 1)] ^= 1 << dice.randrange(7)
    path.write_bytes(data)


def sql(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


def with_log(path: Path) -> None:
    """Leave what a killed process leaves: a log beside the file, which is not merged into it."""
    script = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA wal_autocheckpoint=0');"
        'db.execute("UPDATE positions SET seq = seq"); db.execute("INSERT INTO positions VALUES (\'x\', 1)");'
        "db.execute('CREATE TABLE IF NOT EXISTS filler (x)'); db.execute(\"INSERT INTO filler VALUES (hex(randomblob(50000)))\");"
        "db.execute('DROP TABLE filler'); db.commit(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert Path(f"{path}-wal").stat().st_size


def blobs(project: Project) -> list[Path]:
    return sorted(path for path in (project.state / "store").glob("??/*") if path.is_file())


def executed(project: Project) -> list[Path]:
    return sorted(
        path for path in (project.state / "runs").rglob("*") if path.is_file() and path.stat().st_size
    )


Damage = Callable[[Project, random.Random], Any]
JOURNAL: dict[str, Damage] = {
    "a flipped bit": lambda p, dice: flip(p.state / "journal.db", dice),
    "many flipped bits": lambda p, dice: flip(p.state / "journal.db", dice, 300),
    "a flipped bit in an event": lambda p, dice: flip_in_text(p.state / "journal.db", dice, b'{"type": "'),
    "a flipped bit in a result": lambda p, dice: flip_in_text(p.state / "journal.db", dice, b'{"number": '),
    "a flipped bit in the schema": lambda p, dice: flip_in_text(p.state / "journal.db", dice, b"CREATE "),
    "a flipped bit in the head": lambda p, dice: flip_in_text(p.state / "journal.db", dice, b"SQLite format"),
    "a truncated journal": lambda p, dice: truncate(p.state / "journal.db", dice),
    "an empty journal": lambda p, _: write(p.state / "journal.db", b""),
    "a text": lambda p, _: write(p.state / "journal.db", b"Dear diary, today nothing ran.\n" * 200),
    "zeros": lambda p, _: write(p.state / "journal.db", b"\0" * 50_000),
    "an event that is none": lambda p, _: sql(p.state / "journal.db", "UPDATE events SET data = '[]' WHERE seq = 5"),
    "a run that makes no sense": lambda p, _: sql(
        p.state / "journal.db", "UPDATE runs SET status = 'dunno', params = x'ff', started = 'soon'"
    ),
    "results of others": lambda p, _: sql(
        p.state / "journal.db", "UPDATE results SET fingerprint = (SELECT max(fingerprint) FROM results)"
    ),
    "no table of results": lambda p, _: sql(p.state / "journal.db", "DROP TABLE results"),
    "no table of events": lambda p, _: sql(p.state / "journal.db", "DROP TABLE events"),
    "a damaged log": lambda p, dice: (
        with_log(p.state / "journal.db"), flip(p.state / "journal.db-wal", dice, dice.choice([1, 50]))
    ),
    "a truncated log": lambda p, dice: (
        with_log(p.state / "journal.db"), truncate(p.state / "journal.db-wal", dice)
    ),
    "a log of text": lambda p, _: write_new(p.state / "journal.db-wal", b"no log" * 9999),
    "a damaged index of the log": lambda p, dice: (
        with_log(p.state / "journal.db"), flip(p.state / "journal.db-shm", dice, 200)
    ),
    "an index of text": lambda p, _: write_new(p.state / "journal.db-shm", b"no index" * 9999),
    "a folder in its place": lambda p, _: ((p.state / "journal.db").unlink(), (p.state / "journal.db").mkdir()),
}  # fmt: skip
OTHERS: dict[str, Damage] = {
    "a flipped blob": lambda p, dice: flip(dice.choice(blobs(p)), dice),
    "all blobs flipped": lambda p, dice: [flip(blob, dice) for blob in blobs(p)],
    "a truncated blob": lambda p, dice: truncate(dice.choice(blobs(p)), dice),
    "all blobs empty": lambda p, _: [write(blob, b"") for blob in blobs(p)],
    "missing blobs": lambda p, dice: [blob.unlink() for blob in dice.sample(blobs(p), 3)],
    "a blob that is a folder": lambda p, dice: as_folder(dice.choice(blobs(p))),
    "no store": lambda p, _: shutil.rmtree(p.state / "store"),
    "a store that is a file": lambda p, _: as_file(p.state / "store"),
    "a damaged cache of files": lambda p, dice: flip(p.state / "cache/files.json", dice),
    "an empty cache of files": lambda p, _: write(p.state / "cache/files.json", b""),
    "a truncated cache of files": lambda p, dice: truncate(p.state / "cache/files.json", dice),
    "a cache of files that is text": lambda p, _: write(p.state / "cache/files.json", b"\xff\xfe no cache"),
    "a cache that is a file": lambda p, _: as_file(p.state / "cache"),
    "damaged facts of libraries": lambda p, dice: flip(p.state / "cache/distributions.json", dice),
    "damaged executed notebooks": lambda p, dice: [flip(path, dice, 5) for path in executed(p)],
    "truncated executed notebooks": lambda p, dice: [truncate(path, dice) for path in executed(p)],
    "no folders of runs": lambda p, _: shutil.rmtree(p.state / "runs"),
    "an owner of nonsense": lambda p, _: sql(
        p.state / "journal.db", "INSERT INTO owners VALUES ('p', 'x', 'y', 'z', x'ff', 5, 'w')"
    ),
    "an owner that is process 1": lambda p, _: sql(
        p.state / "journal.db", "INSERT INTO owners VALUES ('p', 'gone', 1, 5.0, 'nowhere', 'a b c', 7)"
    ),
    "an owner of a run that is over": lambda p, _: sql(
        p.state / "journal.db",
        "INSERT INTO owners SELECT pipeline, id, 4194301, 5.0, '', '', 0 FROM runs LIMIT 1",
    ),
    "half-written files": lambda p, _: half_written(p),
}  # fmt: skip


def write_new(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def as_folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def as_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("a file")


def half_written(project: Project) -> None:
    for path in (
        "data/.join.txt.4194301.incoming", "data/.join.txt.4194301.before", ".stagebook/store/incoming/tmpx",
        ".stagebook/cache/.files.json.4194301.tmp", ".stagebook/journal.db.new", ".stagebook/.key.4194301.tmp",
        ".stagebook/journal.db.new-wal",
    ):  # fmt: skip
        (project.root / path).write_bytes(b"half")


def tries(ways: dict[str, Damage], small: int, full: int) -> Iterator[tuple[str, Damage, random.Random]]:
    """Each way at least once, in an order that depends on the seed; the small numbers take some of them."""
    dice = random.Random(SEED)
    count = amount(small, full)
    names = [*ways] * (1 + count // len(ways))
    for at, name in enumerate(dice.sample([*ways], len(ways))[:count] + names[len(ways) : count]):
        yield name, ways[name], random.Random(SEED + at)


def all_of(ways: dict[str, Damage], small: int, full: int, template: Template, root: Path, what: str) -> None:
    met: dict[str, int] = {}
    number = 0
    for name, damage, dice in tries(ways, small, full):
        project = template.copy(root)
        damage(project, dice)
        how = f"{name}, seed {SEED}"
        try:
            found = hold_against_a_clean_one(project, template, how, dice)
        except Exception as error:
            error.add_note(how)
            raise
        met[found] = met.get(found, 0) + 1
        number += 1
    seen = ", ".join(f"{count} {found}" for found, count in sorted(met.items()))
    figure(what, f"{number}: {seen}; no traceback, no wrong result")


@pytest.mark.long
def test_a_damaged_journal_is_told_and_mended(template: Template, tmp_path: Path) -> None:
    all_of(JOURNAL, 2, 84, template, tmp_path / "p", "damaged journals")


@pytest.mark.long
def test_damaged_stores_caches_and_owners_are_told_and_mended(template: Template, tmp_path: Path) -> None:
    all_of(OTHERS, 2, 63, template, tmp_path / "p", "damaged stores, caches, owners, notebooks")


# -- nothing can be written ---------------------------------------------------------------------


@pytest.mark.long
def test_a_state_that_cannot_be_written_is_looked_at_and_not_run(template: Template, tmp_path: Path) -> None:
    skip_without_mounts()
    project = template.copy(tmp_path / "p")
    script = 'mount --bind .stagebook .stagebook && mount -o remount,ro,bind .stagebook || exit 99; exec "$@"'
    prefix = ("unshare", "-rm", "sh", "-c", script, "sh")
    for words in (("status", "p"), ("runs",), ("why", "p"), ("logs",), ("plan", "p")):
        said = project.run(*words, prefix=prefix)
        assert said.code == 0, said
    for words in (("run", "p"), ("resume",)):
        said = project.run(*words, prefix=prefix)
        assert said.code == 2, said
        assert "see that there is room on the disk and that the folder can be written" in said.all, said
    for words in (("doctor",), ("doctor", "--repair")):
        said = project.run(*words, prefix=prefix)
        assert said.code == 1
        assert "✗ .stagebook cannot be read and written" in said.out
        assert "read-only" in said.out
    assert project.run("run", "p").code == 0
    assert project.outputs() == template.outputs[2]


@pytest.mark.long
def test_a_state_that_is_a_file_is_told(template: Template, tmp_path: Path) -> None:
    project = template.copy(tmp_path / "p")
    as_file(project.state)
    for words in (("run", "p"), ("resume",), ("runs",)):
        assert project.run(*words).code in {0, 2}
    said = project.say("doctor")
    assert said.code == 1
    assert "✗ .stagebook is not a folder" in said.out
    assert "move it away" in said.out


@pytest.mark.long
def test_each_command_ends_with_its_code_in_a_process_of_its_own(template: Template, tmp_path: Path) -> None:
    """As above, where a shell sees it."""
    project = template.copy(tmp_path / "p")
    write(project.state / "journal.db", b"Dear diary")
    for words in (
        ("run", "p"),
        ("status", "p"),
        ("plan", "p"),
        ("runs",),
        ("logs",),
        ("why", "p"),
        ("resume",),
    ):
        said = project.run(*words)
        assert said.code == 2, said
        assert said.err.startswith("✗ the journal "), said
        assert "file is not a database" in said.err
        assert "see: stagebook doctor" in said.err
        data = json.loads(project.say(*words, "--json").out.splitlines()[-1])
        assert data["hint"] == "see: stagebook doctor"
    said = project.run("doctor")
    assert said.code == 1
    assert "--repair saves what can be read" in said.out
    assert project.run("doctor", "--repair").code == 0
    assert project.run("doctor").code == 0
    assert project.run("resume").code == 2, "there is nothing to go on with any more"
    assert project.run("run", "p").code == 0
    assert project.outputs() == template.outputs[2]
