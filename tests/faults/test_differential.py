"""Whatever is edited between two runs: a run with the store leaves what `--force` leaves, byte for byte.

Random projects are edited at random (`worlds`, `edits`). After each edit the project is run, and a copy of
it that has no state is run with `--force`; stages have to end alike, and leave the same outputs. What
nobody can see in the outputs may not run anything.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from effort import SEED, amount, figure
from executing import ExecEngine
from faults.edits import BACK, DAMAGE, EDITS, NOTHING
from faults.worlds import World
from stagebook.errors import PipelineInvalid, RunTakenOver
from stagebook.events import AttemptEnded, RunStarted, Status
from stagebook.execution.attempt import Attempt
from stagebook.journal.leases import Liveness, Owner
from stagebook.planning.select import Selection
from stagebook.project import Project
from stagebook.runs.run import RunReport

EDITS_EACH = 25  # edits of one project
GOOD = {Status.COMPLETED, Status.REUSED}


@dataclasses.dataclass(kw_only=True)
class Count:
    """What was seen, over all projects."""

    edits: int = 0
    real: int = 0
    stages: int = 0
    reused: int = 0
    restored: int = 0
    failed: int = 0
    refused: int = 0
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class Case:
    """One project, its runs and its edits."""

    def __init__(self, root: Path, number: int, env: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(f"{SEED} {number}")
        self.root = root / "p"
        self.other = root / "forced"
        self.library = root / "site-packages"
        self.told: list[str] = []
        self.world = World(self.chance)
        self._env = env
        self._written: dict[str, str] = {}
        self.outside = {self.root: root / "outside", self.other: root / "outside-forced"}
        self._installed = 0
        self._project: Project | None = None
        self._known: list[dict[str, Any]] = []  # states to which one can go back
        self._damaged = False
        self.library.mkdir(parents=True)
        env.syspath_prepend(str(self.library))
        env.setenv("PYTHONPATH", str(self.library))
        self.apply()

    def close(self) -> None:
        if self._project is not None:
            self._project.close()

    # -- edits ------------------------------------------------------------------------------------

    def edit(self) -> str:
        """Edit the project at random; of which kind that was."""
        chance = self.chance
        if self._known and chance.random() < 0.08:
            known = chance.choice(self._known)
            self.world.go_back(known["world"])
            kind = BACK
            self.told.append(f"back to {known['at']}")
        else:
            make = chance.choices(list(EDITS), list(EDITS.values()))[0]
            text, kind = make(self.world, self.root)
            self.told.append(f"{make.__name__}: {text}")
        self._damaged |= kind == DAMAGE
        kind = "" if kind == BACK and self._damaged else kind
        self.apply()
        return kind

    def apply(self) -> None:
        """Write what differs from what was written before."""
        wanted = self.world.render()
        how = self.chance.choice(["plain", "plain", "restored", "past", "future", "replaced"])
        for path in self._written.keys() - wanted.keys():
            (self.root / path).unlink()
            if not any((self.root / path).parent.iterdir()):
                (self.root / path).parent.rmdir()
        for path, text in wanted.items():
            if self._written.get(path) != text:
                self._write(self.root / path, text, how if self._written else "plain")
        self._written = wanted
        for name, value in self.world.env.items():
            self._env.setenv(name, value) if value is not None else self._env.delenv(name, raising=False)
        if self.world.library != self._installed:
            self._install(self.world.library)

    def _write(self, path: Path, text: str, how: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat() if path.exists() else None
        if how == "replaced":
            new = path.with_name(f"{path.name}.new")
            new.write_text(text)
            new.replace(path)
        else:
            path.write_text(text)
        if before is not None and how in {"restored", "past", "future"}:
            change = {"restored": 0, "past": -3600 * 10**9, "future": 3600 * 10**9}[how]
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + change))
            self.told[-1] += f" [{path.name}: time {how}]"

    def _install(self, version: int) -> None:
        """Another version of the library, as an installer leaves it."""
        for path in list(self.library.iterdir()):
            shutil.rmtree(path)
        package = self.library / "difflab"
        package.mkdir()
        (package / "__init__.py").write_text(f"VERSION = {version}\n")
        about = self.library / f"difflab-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: difflab\nVersion: {version}\n")
        (about / "RECORD").write_text(f"difflab/__init__.py,,\ndifflab-{version}.dist-info/METADATA,,\n")
        self._installed = version

    # -- runs -------------------------------------------------------------------------------------

    def project(self) -> Project:
        """The project: as a new command would open it, or as a program keeps it."""
        if self._project is not None and (
            self.chance.random() < 0.5 or self._project.settings.store.enabled != self.world.store
        ):
            self._project.close()
            self._project = None
        if self._project is None:
            self._project = Project.open(self.root)
        return self._project

    def run(self, engine: Any = None, **more: Any) -> RunReport | str:
        """Run the project; the mistakes of the pipeline, if that cannot be."""
        return self._run(self.project(), engine, **more)

    def run_forced(self, engine: Any = None) -> RunReport | str:
        """Run a copy without any state, by force."""
        shutil.rmtree(self.other, ignore_errors=True)
        shutil.copytree(self.root, self.other, ignore=_left_out(self.root))
        with Project.open(self.other) as project:
            shutil.rmtree(self.outside[self.other], ignore_errors=True)
            return self._run(project, engine, force=True)

    def _run(self, project: Project, engine: Any, **more: Any) -> RunReport | str:
        outside = self.outside[project.root]
        outside.mkdir(exist_ok=True)
        self._env.setenv("OUTSIDE", str(outside))
        try:
            return project.run("p", self.world.given, engine=engine, keep_going=True, jobs=2, **more)
        except PipelineInvalid as error:
            return str(error)

    def run_a_part(self, engine: Any = None) -> None:
        """Run some stages, as somebody does who looks for a mistake."""
        name = self.chance.choice(self.world.stages).name
        which = self.chance.choice(["targets", "start", "only", "skip"])
        force = self.chance.random() < 0.3
        self.told[-1] += f", and a run of {which}={name}{' by force' if force else ''}"
        self.run(engine, selection=Selection(**{which: (name,)}), force=force)

    def remember(self) -> None:
        """A state to come back to."""
        self._known = [*self._known[-5:], {"world": self.world.snapshot(), "at": len(self.told)}]

    def story(self, what: str) -> str:
        """What went wrong, and how it came to that."""
        lines = [f"  {at}. {line}" for at, line in enumerate(self.told, start=1)]
        return "\n".join([what, f"seed {SEED}", *lines])


def _left_out(root: Path) -> Any:
    def ignore(folder: str, names: list[str]) -> set[str]:
        top = {".stagebook", "out"} if Path(folder) == root else set()
        return {name for name in names if name in top or name == "__pycache__"}

    return ignore


def content(path: Path) -> Any:
    """All that is below a path, by path."""
    if path.is_dir():
        files = (file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
    return path.read_bytes() if path.exists() else None


def compare(case: Case, kept: RunReport | str, forced: RunReport | str, count: Count) -> bool:
    """Lease a run against the one by force; whether all was well in it."""
    if isinstance(kept, str) or isinstance(forced, str):
        assert kept == forced, case.story("only one of them can be planned")
        count.refused += 1
        return False
    ends, wanted = _ends(kept), _ends(forced)
    assert ends == wanted, case.story(f"the stages end otherwise: {_messages(kept)} {_messages(forced)}")
    for name, stage in forced.history.stages.items():
        mine = kept.history.stages.get(name, stage)  # an item that nobody waits for
        count.stages += 1
        count.reused += mine.status is Status.REUSED
        count.failed += mine.status is Status.FAILED
        count.restored += mine.status is Status.REUSED and "restores" in mine.reason
        if stage.status in GOOD:
            assert mine.outputs.keys() == stage.outputs.keys(), case.story(f"the outputs of {name}")
            for key, item in stage.outputs.items():
                known, places = mine.outputs[key], (case.root, case.other)
                if item.external:
                    places = (case.outside[case.root], case.outside[case.other])
                got, right = (content(place / item.path.removeprefix("db:/")) for place in places)
                assert got == right, case.story(_stale(mine, key, f"{item.path} is {got}, not {right}"))
                assert (known.path, known.content) == (item.path, item.content), case.story(
                    _stale(mine, key, "is described otherwise")
                )
            values = [{key: scrap.get("value") for key, scrap in one.scraps.items()} for one in (mine, stage)]
            assert values[0] == values[1], case.story(_stale(mine, "scraps", f"{values[0]}, not {values[1]}"))
    return all(end != "failed" for end in ends.values())


def _stale(stage: Any, key: str, what: str) -> str:
    return f"STALE: {stage.id} {stage.status} ({stage.reason}), {key}: {what}"


def _ends(report: RunReport) -> dict[str, str]:
    """How the stages ended. Where none of a list's items is run, they may be known or not."""
    idle = {Status.SKIPPED, Status.BLOCKED}
    return {
        name.partition("@")[0] if stage.status in idle else name: "good"
        if stage.status in GOOD
        else str(stage.status)
        for name, stage in report.history.stages.items()
    }


def _messages(report: RunReport) -> dict[str, str]:
    return {
        stage.id: f"{stage.status} {stage.reason} {stage.message}" for stage in report.history.stages.values()
    }


@pytest.fixture(scope="module")
def count() -> Count:
    return Count()


@pytest.fixture
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    memory = Path("/dev/shm")  # there a commit costs no time, which is most of it elsewhere
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        made = Case(Path(folder), request.node.callspec.params["number"], monkeypatch)
        yield made
        made.close()


@pytest.mark.parametrize("number", range(amount(3, 80)))
@pytest.mark.long
def test_with_the_store_all_is_as_by_force(case: Case, number: int, count: Count) -> None:
    case.told.append("the project is new")
    was_good = False
    for at in range(EDITS_EACH + 1):
        kind = case.edit() if at else ""
        if at and case.chance.random() < 0.15:
            case.run_a_part(ExecEngine())
            kind = BACK if kind == NOTHING else kind
        engine = ExecEngine()
        kept = case.run(engine)
        forced = case.run_forced(ExecEngine())
        good = compare(case, kept, forced, count)
        if was_good and good and kind in {NOTHING, BACK}:
            ran = [name for name in engine.done if _may_not_run(case.world, name, kind)]
            assert not ran, case.story(f"nothing was to run: {ran} {_messages(kept)}")
        if good and not isinstance(kept, str):
            case.remember()
        was_good = good
        count.edits += 1 if at else 0
        count.kinds[kind] += 1


def _may_not_run(world: World, name: str, kind: str) -> bool:
    stage = next(stage for stage in world.stages if stage.name == name.partition("@")[0])
    written_anew = kind == BACK or not all(other.cache for other in world.stages)
    return stage.cache and not (written_anew and world.outside(stage.name))


@pytest.mark.e2e
@pytest.mark.parametrize("number", range(1000, 1000 + amount(1, 30)))
@pytest.mark.long
def test_with_real_processes_all_is_as_by_force(case: Case, number: int, count: Count) -> None:
    """The same with the engine of this machine; what holds for the quick one holds for it."""
    case.told.append("the project is new")
    for at in range(11):
        case.edit() if at else None
        kept = case.run()
        if at % 5 == 0:
            compare(case, kept, case.run_forced(), count)
        compare(case, kept, case.run_forced(ExecEngine()), count)
        count.real += 1


def test_most_of_it_was_reused(count: Count) -> None:
    if not count.edits:
        pytest.skip("the tests of edits were not in this part")
    share = count.reused / max(1, count.stages)
    figure("edits between runs", f"{count.edits}, {count.stages} stages, {share:.0%} reused, none stale")
    figure("edits between runs, real processes", f"{count.real}, none stale")
    assert share >= 0.4, count
    assert count.failed + count.refused < count.stages / 4, count


# -- what changes while it is used ----------------------------------------------------------------

FILES = {
    "an input": "data/a.txt",
    "a file of an input folder": "data/dir/a.txt",
    "a module": "helpers/__init__.py",
    "a module of a module": "helpers/deep.py",
    "a script": "scripts/setup.py",
    "an output of another stage": "out/first.txt",
}
HOWS = ["changed", "changed and back", "deleted", "written as it was", "same size and time"]


@pytest.fixture
def reading(builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> ProjectBuilder:
    """A project whose second stage reads of everything, in its second cell."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for path in FILES.values():
        if not path.startswith("out/"):
            builder.file(path, "VALUE = 1\n")
    builder.file("helpers/__init__.py", "VALUE = 1\nfrom . import deep\n")
    builder.notebook(
        "first", "from pathlib import Path\nPath(out).write_text('VALUE = 1\\n')", params="out = ''"
    )
    read = """
    seen = []
    for path in (src, made, "data/dir/a.txt", "scripts/setup.py"):
        seen.append(Path(path).read_text() if Path(path).exists() else "gone")
    import helpers
    seen += [helpers.VALUE, helpers.deep.VALUE]
    %run scripts/setup.py
    """
    write = "from pathlib import Path\nPath(out).write_text(repr(seen))"
    builder.notebook(
        "second", "from pathlib import Path", read, write, params="src = made = folder = out = ''"
    )
    builder.pipeline(
        """
        stages:
          first: {notebook: notebooks/first.ipynb, outputs: {out: out/first.txt}}
          second:
            notebook: notebooks/second.ipynb
            inputs: {src: data/a.txt, folder: data/dir, made: first.out}
            outputs: {out: out/second.txt}
        """
    )
    builder.without_tracking()
    return builder


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("what", list(FILES))
@pytest.mark.parametrize("when", ["before it is read", "after it was read"])
def test_what_changes_while_a_stage_runs_is_not_taken_for_what_was_there(
    reading: ProjectBuilder, what: str, how: str, when: str
) -> None:
    path = reading.root / FILES[what]
    first, last = (2, 4) if when == "before it is read" else (4, 5)
    kept: list[bytes] = []

    def meanwhile(attempt: Attempt, cell: int) -> None:
        if attempt.stage != "second":
            return
        if cell == first:
            kept.append(path.read_bytes())
            _spoil(path, how)
        elif cell == last and how == "changed and back":
            path.write_bytes(kept[0])

    report = reading.project.run("p", engine=ExecEngine(meanwhile))
    if kept and how == "deleted":
        path.write_bytes(kept[0])
    elif report.status is Status.COMPLETED:
        assert report.history.stages["second"].remark, "nobody can say what it depends on"
    if what == "an output of another stage":
        path.write_bytes(kept[0])
    left = (reading.root / "out/second.txt").read_bytes() if report.status is Status.COMPLETED else b""
    again = reading.project.run("p", engine=ExecEngine())
    mine = (reading.root / "out/second.txt").read_bytes()
    reading.project.run("p", engine=ExecEngine(), force=True)
    assert again.status is Status.COMPLETED
    assert mine == (reading.root / "out/second.txt").read_bytes(), left
    assert again.history.stages["second"].status is Status.COMPLETED, "it was run again"


def _spoil(path: Path, how: str) -> None:
    found = path.stat()
    if how == "deleted":
        path.unlink()
    elif how == "written as it was":
        path.write_bytes(path.read_bytes())
    else:
        path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    if how == "same size and time":
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("path", ["helpers/__init__.py", "helpers/deep.py"])
def test_a_module_that_changes_within_its_second_is_imported_anew(reading: ProjectBuilder, path: str) -> None:
    reading.project.run("p", engine=ExecEngine())
    before = (reading.root / "out/second.txt").read_text()
    file = reading.root / path
    found = file.stat()
    file.write_text(file.read_text().replace("1", "2"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))  # Python takes what it compiled for good
    reading.project.run("p", engine=ExecEngine())
    assert (reading.root / "out/second.txt").read_text() != before


def test_a_run_that_was_taken_over_publishes_nothing(reading: ProjectBuilder) -> None:
    project = reading.project

    def meanwhile(attempt: Attempt, cell: int) -> None:
        if attempt.stage == "second" and cell == 5:
            started = RunStarted(run="other", at=0.0, pipeline="p", plan={})
            owner = Owner(pid=1, started=0.0, host="elsewhere")
            project.journal.begin(started, owner, lambda _: Liveness.DEAD)

    with pytest.raises(RunTakenOver):
        project.run("p", engine=ExecEngine(meanwhile))
    assert (reading.root / "out/first.txt").exists(), "it owned the pipeline then"
    assert not (reading.root / "out/second.txt").exists()
    (ended,) = [
        event for event in reading.events(project.history.runs()[1].id) if isinstance(event, AttemptEnded)
    ]
    assert ended.stage == "first"


def test_what_left_no_fingerprint_is_run_again(reading: ProjectBuilder) -> None:
    """A result of which nobody can say what it depends on is nobody's, and the run says so."""

    def meanwhile(attempt: Attempt, cell: int) -> None:
        if attempt.stage == "second" and cell == 2:
            reading.file("data/a.txt", "VALUE = 7\n")

    report = reading.project.run("p", engine=ExecEngine(meanwhile))
    remark = "not reused later, since data/a.txt changed (input src) while it ran"
    assert report.history.stages["second"].remark == remark
    plan = reading.project.plan("p")
    assert plan.stage("second").reasons == ("no result yet",)


@pytest.mark.e2e
def test_stages_that_write_the_same_at_once_share_it_in_the_store(builder: ProjectBuilder) -> None:
    write = """
    from pathlib import Path
    Path(out).write_bytes(b"0123456789" * 500_000)
    Path(folder, "sub").mkdir(parents=True)
    Path(folder, "sub", "b.txt").write_text("the same")
    """
    builder.notebook("a", write, params="k = 0\nout = folder = ''")
    builder.pipeline(
        """
        defaults: {executor: inprocess}
        stages:
          a:
            notebook: notebooks/a.ipynb
            matrix: {k: [1, 2, 3, 4]}
            params: {k: "${matrix.k}"}
            outputs: {out: "out/${matrix.k}.bin", folder: "out/folder-${matrix.k}"}
        """
    )
    builder.without_tracking()
    first = builder.project.run("p", jobs=4)
    assert first.status is Status.COMPLETED
    wanted = content(builder.root / "out")
    blobs = builder.project.store.blobs
    assert len(list(blobs.digests())) == 4, "the content, the list of the folder, its file, the cells"
    assert all(blobs.is_intact(digest) for digest, _ in blobs.digests())
    shutil.rmtree(builder.root / "out")
    second = builder.project.run("p", jobs=4)
    assert {stage.status for stage in second.history.stages.values()} == {Status.REUSED}
    assert content(builder.root / "out") == wanted
