"""`python -m benchmarks`: measure all contenders side by side, in one run, and print the tables.

The contenders take turns, round by round, each round beginning with another one, so that what else
goes on in the machine hits all of them alike.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import cases as names
from benchmarks import measure, report, reuse_cases, reusing
from benchmarks.cases import Case, Entry, LastingEntry, make_cases
from benchmarks.contenders import Contender, Papermill, Ploomber, Sample, Stagebook
from benchmarks.environments import Environment, peer_environment, project_environment, stagebook_version
from benchmarks.meshes import Outputs, mesh
from benchmarks.reuse_cases import make_reuse_cases
from benchmarks.reusing import Ground, Reuser
from benchmarks.workloads import pandas_chain

ROUNDS = 5
LARGE = 500  # stages; what is larger is tried with few of them first
PEERS = ("papermill", "ploomber", "dvc", "snakemake")
PACKAGES = (
    *("papermill", "ploomber", "dvc", "snakemake"),
    *("nbclient", "ipykernel", "jupyter-client", "pyzmq", "pandas", "pyarrow"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code, which does not depend on whether budgets are met."""
    parsed = _parse(arguments)
    environments = {name: peer_environment(name) for name in PEERS}
    environments["stagebook"] = project_environment()
    facts = _facts(environments, parsed)
    contenders = _contenders(environments)
    cases = make_cases(contenders, quick=parsed.quick)
    cases += make_reuse_cases(_reusers(environments), quick=parsed.quick)
    chosen = [case for case in cases if not parsed.cases or case.letter in parsed.cases]
    measure.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="stagebook-bench-") as place:
        results = _Session(Path(place), contenders, environments["papermill"]).measure(chosen, parsed.rounds)
    print(report.render(results, facts))
    for part in _parts(parsed.cases) if parsed.write else ():
        own = [result for result in results if result.case.letter in report.PARTS[part]]
        report.write_into(parsed.write, part, report.render(own, facts))
    return 0


class _Session:
    """Measures cases, in folders that are removed after it: one for each sample, or, where a project
    stays for all rounds, for each contender of a case."""

    def __init__(self, place: Path, contenders: Sequence[Contender], seeds: Environment) -> None:
        self._place = place
        self._home = place / "home"
        self._home.mkdir()
        self._refusals: dict[str, str] = {}
        self._contenders = contenders
        self._outputs = Outputs(place / "outputs", seeds, self._home)

    def measure(self, cases: Sequence[Case], rounds: int) -> list[report.Results]:
        """All rounds of all cases, case by case."""
        entries = [entry for case in cases for entry in case.entries if isinstance(entry, Entry)]
        self._warm_up([entry.contender for entry in entries])
        return [self._measure_case(case, min(rounds, case.most_rounds or rounds)) for case in cases]

    def _warm_up(self, wanted: Sequence[Contender]) -> None:
        """Each contender once, unmeasured: files get into memory and profiles are made. A contender that
        refuses or fails is not measured."""
        for contender in self._contenders:
            if contender not in wanted:
                continue
            _say(f"warming up: {contender.name}")
            with tempfile.TemporaryDirectory(dir=self._place) as folder:
                contender.prepare(pandas_chain(2), Path(folder))
                reason = contender.refusal(Path(folder), self._home)
                if reason:
                    _say(f"  left out: {reason}")
                    self._refusals[contender.name] = reason
                    continue
                try:
                    contender.execute(Path(folder), self._home, watch_memory=False)
                except measure.MeasuredProcessFailed as error:
                    _say(f"  left out: {error}\n{error.tail}")
                    self._refusals[contender.name] = f"failed, {error}"

    def _measure_case(self, case: Case, rounds: int) -> report.Results:
        _say(f"{case.letter}: {case.title}")
        results = report.Results(case=case)
        with tempfile.TemporaryDirectory(dir=self._place) as folder:
            turns = [
                turn for entry in case.entries if (turn := self._turn(case, entry, Path(folder), results))
            ]
            for number in range(rounds):
                first = number % len(turns) if turns else 0
                for turn in turns[first:] + turns[:first]:
                    if number < turn.rounds and turn.name not in results.missing:
                        figures = self._figures(case, turn, number, results)
                        results.rounds[turn.name].append(figures)
                        shown = (
                            ", ".join(f"{value:.3f}" for value in figures.values()) if figures else "failed"
                        )
                        _say(f"  round {number + 1} of {rounds}: {turn.name}: {shown}")
        return results

    def _turn(
        self, case: Case, entry: Entry | LastingEntry, folder: Path, results: report.Results
    ) -> _Turn | None:
        """What a contender does in each round; None if it takes no part."""
        name = entry.contender.name
        results.rounds[name] = []
        if isinstance(entry, Entry):
            if reason := self._refusals.get(name):
                results.missing[name] = reason
                return None
            return _Turn(name=name, take=lambda _number: self._execute(case, entry))
        try:
            if entry.values and len(entry.mesh) > LARGE:
                self._try_small(case, entry, folder)
            place = folder / str(len(results.rounds))
            place.mkdir()
            _say(f"  bringing up: {name}")
            project = self._project(case, entry, place)
            project.bring_up()
        except measure.MeasuredProcessFailed as error:
            _say(f"  left out: {name}: {error}\n{error.tail}")
            results.missing[name] = str(error)
            results.rounds[name].append(None)
            return None
        return _Turn(
            name=name,
            take=lambda number: contextlib.nullcontext(project.sample(number)),
            rounds=entry.most_rounds or sys.maxsize,
        )

    def _try_small(self, case: Case, entry: LastingEntry, folder: Path) -> None:
        """Whether it does what it should, seen before it takes minutes. Raises `MeasuredProcessFailed`."""
        with tempfile.TemporaryDirectory(dir=folder) as tried:
            project = self._project(case, dataclasses.replace(entry, mesh=mesh(2, 2)), Path(tried))
            project.bring_up()
            project.sample(0)

    def _project(self, case: Case, entry: LastingEntry, folder: Path) -> _Project:
        ground = Ground(
            folder=folder,
            home=self._home,
            mesh=entry.mesh,
            outputs=self._outputs,
            limit=entry.limit,
            watch_memory=case.watch_memory,
        )
        return _Project(entry=entry, ground=ground)

    def _figures(
        self, case: Case, turn: _Turn, number: int, results: report.Results
    ) -> Mapping[str, float] | None:
        """The figures of one sample; None if it failed, which does not stop the others."""
        try:
            with turn.take(number) as sample:
                return {figure.title: figure.value(sample) for figure in case.figures}
        except measure.MeasuredProcessTooSlow as error:
            results.missing[turn.name] = str(error)
            _say(f"  {turn.name}: {error}")
        except measure.MeasuredProcessFailed as error:
            _say(f"  {turn.name}: {error}\n{error.tail}")
        except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
            _say(f"  {turn.name}: what it left cannot be read: {error!r}")
        return None

    @contextlib.contextmanager
    def _execute(self, case: Case, entry: Entry) -> Iterator[Sample]:
        """One execution in a new folder, which is there for as long, of all notebooks."""
        with tempfile.TemporaryDirectory(dir=self._place) as folder:
            entry.contender.prepare(entry.workload, Path(folder))
            sample = entry.contender.execute(Path(folder), self._home, watch_memory=case.watch_memory)
            done = sum(notebook.is_file() for notebook in sample.notebooks)
            wanted = len(entry.workload.steps)
            if done != wanted:
                raise measure.MeasuredProcessFailed(f"executed {done} of {wanted} notebooks", "")
            yield sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """What a contender does in the round with this number, and how many rounds it takes part in."""

    name: str
    take: Callable[[int], AbstractContextManager[Sample]]
    rounds: int = sys.maxsize


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Project:
    """A project that stays for all rounds."""

    entry: LastingEntry
    ground: Ground

    def bring_up(self) -> None:
        """Once, without a limit and unmeasured; and, where it is done then, the first command, which
        may find more to do than those that follow."""
        ground = dataclasses.replace(self.ground, limit=measure.LIMIT, watch_memory=False)
        self.entry.contender.bring_up(ground, self.entry.values)
        if self.entry.values:
            self.entry.contender.again(ground, self.entry.values[0])

    def sample(self, number: int) -> Sample:
        """That of a round. Values take turns; the first was taken last."""
        entry, values = self.entry, self.entry.values
        if not values:
            return entry.contender.plan(self.ground)
        x = values[(number + 1) % len(values)]
        if not entry.in_copy:
            return entry.contender.again(self.ground, x)
        with tempfile.TemporaryDirectory(dir=self.ground.folder.parent) as folder:
            copy = Path(folder) / "project"
            shutil.copytree(self.ground.folder, copy, symlinks=True)
            return entry.contender.again(dataclasses.replace(self.ground, folder=copy), x)


def _contenders(environments: Mapping[str, Environment]) -> list[Contender]:
    loop, ploomber = environments["papermill"], environments["ploomber"]
    ours = environments["stagebook"]
    off = {"request_save_on_cell_execute": False, "autosave_cell_every": 0}
    return [
        Papermill(name=names.PAPERMILL, environment=loop),
        Papermill(name=names.SAVES_OFF, environment=loop, options=off),
        Ploomber(name=names.SERIAL, environment=ploomber, parallel=False),
        Ploomber(name=names.PARALLEL, environment=ploomber, parallel=True),
        Stagebook(name=names.KERNEL, environment=ours, executor="kernel"),
        Stagebook(name=names.INPROCESS, environment=ours, executor="inprocess"),
        Stagebook(name=names.TRACKED, environment=ours, executor="kernel", tracking=True),
        Stagebook(name=names.AT_TERMINAL, environment=ours, executor="kernel", tracking=True, terminal=True),
    ]


def _reusers(environments: Mapping[str, Environment]) -> list[Reuser]:
    ours, loop, snakemake = environments["stagebook"], environments["papermill"], environments["snakemake"]
    return [
        reusing.Stagebook(name=reuse_cases.STAGEBOOK, environment=ours),
        reusing.Stagebook(name=reuse_cases.TRACKED, environment=ours, tracking=True),
        reusing.Dvc(name=reuse_cases.DVC, environment=environments["dvc"], papermill=loop),
        reusing.Snakemake(name=reuse_cases.SNAKEMAKE, environment=snakemake, papermill=loop),
        reusing.Snakemake(name=reuse_cases.CACHED, environment=snakemake, papermill=loop, cached=True),
        reusing.Ploomber(name=reuse_cases.PLOOMBER, environment=environments["ploomber"]),
    ]


def _facts(environments: Mapping[str, Environment], parsed: argparse.Namespace) -> dict[str, str]:
    """What the figures depend on; nothing that names the machine."""
    facts = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": "`python -m benchmarks" + "".join(f" {word}" for word in _shown(parsed)) + "`",
        "machine": f"{os.cpu_count()} CPUs, {platform.system()} on {platform.machine()}",
        "load before the start": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "Stagebook": stagebook_version(),
    }
    seen: dict[str, set[str]] = {}
    for name, environment in environments.items():
        versions = environment.versions(PACKAGES)
        facts[f"environment of {name}"] = ", ".join(f"{key} {value}" for key, value in versions.items())
        for key, value in versions.items():
            seen.setdefault(key, set()).add(value)
    if differing := [key for key, values in seen.items() if len(values) > 1]:
        facts["**not alike**"] = f"{', '.join(differing)}: renew benchmarks/requirements-*.txt"
    return facts


def _shown(parsed: argparse.Namespace) -> list[str]:
    words = [f"--rounds {parsed.rounds}"]
    words += [f"--cases {','.join(parsed.cases)}"] if parsed.cases else []
    return words + (["--quick"] if parsed.quick else [])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"how often each is measured (default: {ROUNDS})")
    parser.add_argument("--cases", default="", help="letters of docs/performance.md, as a,b,f (default: all)")
    parser.add_argument("--quick", action="store_true", help="one round, smaller: to see that all works")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    parsed = parser.parse_args(arguments)
    parsed.rounds = parsed.rounds or (1 if parsed.quick else ROUNDS)
    parsed.cases = [letter for letter in parsed.cases.split(",") if letter]
    if unknown := set(parsed.cases) - set("abcdefghij"):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if parsed.rounds < 1:
        parser.error("--rounds has to be 1 or more")
    whole = "".join(report.PARTS[part] for part in _parts(parsed.cases))
    if parsed.write and (parsed.quick or set(parsed.cases) - set(whole)):
        wholes = " or ".join(",".join(letters) for letters in report.PARTS.values())
        parser.error(
            f"--write takes figures of whole parts only: leave out --quick, and --cases but {wholes}"
        )
    for part in _parts(parsed.cases) if parsed.write else ():
        if not report.has_place(parsed.write, part):
            parser.error(f"{parsed.write} has no place for the tables: {' and '.join(report.marks(part))}")
    return parsed


def _parts(cases: Sequence[str]) -> list[str]:
    """The parts of a document all of whose cases are measured."""
    return [name for name, letters in report.PARTS.items() if not cases or set(letters) <= set(cases)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
