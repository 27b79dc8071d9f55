"""`python -m benchmarks`: measure all contenders side by side, in one run, and print the tables.

The contenders take turns, round by round, each round beginning with another one, so that what else
goes on in the machine hits all of them alike.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import cases as names
from benchmarks import measure, report
from benchmarks.cases import Case, Entry, make_cases
from benchmarks.contenders import Contender, Papermill, Ploomber, Stagebook
from benchmarks.environments import Environment, peer_environment, project_environment, stagebook_version
from benchmarks.workloads import pandas_chain

ROUNDS = 5
PACKAGES = ("papermill", "ploomber", "nbclient", "ipykernel", "jupyter-client", "pyzmq", "pandas", "pyarrow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code, which does not depend on whether budgets are met."""
    parsed = _parse(arguments)
    environments = {name: peer_environment(name) for name in ("papermill", "ploomber")}
    environments["stagebook"] = project_environment()
    facts = _facts(environments, parsed)
    contenders = _contenders(environments)
    chosen = [
        case
        for case in make_cases(contenders, quick=parsed.quick)
        if not parsed.cases or case.letter in parsed.cases
    ]
    measure.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="stagebook-bench-") as place:
        results = _Session(Path(place), contenders).measure(chosen, parsed.rounds)
    text = report.render(results, facts)
    print(text)
    if parsed.write:
        report.write_into(parsed.write, text)
    return 0


class _Session:
    """Measures cases, in folders that are made for each sample and removed after it."""

    def __init__(self, place: Path, contenders: Sequence[Contender]) -> None:
        self._place = place
        self._home = place / "home"
        self._home.mkdir()
        self._refusals: dict[str, str] = {}
        self._contenders = contenders

    def measure(self, cases: Sequence[Case], rounds: int) -> list[report.Results]:
        """All rounds of all cases, case by case."""
        self._warm_up([entry.contender for case in cases for entry in case.entries])
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
        entries = []
        for entry in case.entries:
            name = entry.contender.name
            if name in self._refusals:
                results.missing[name] = self._refusals[name]
            else:
                entries.append(entry)
                results.rounds[name] = []
        for number in range(rounds):
            first = number % len(entries) if entries else 0
            for entry in entries[first:] + entries[:first]:
                figures = self._sample(case, entry)
                results.rounds[entry.contender.name].append(figures)
                shown = ", ".join(f"{value:.3f}" for value in figures.values()) if figures else "failed"
                _say(f"  round {number + 1} of {rounds}: {entry.contender.name}: {shown}")
        return results

    def _sample(self, case: Case, entry: Entry) -> Mapping[str, float] | None:
        """The figures of one execution; None if it failed, which does not stop the others."""
        name, wanted = entry.contender.name, len(entry.workload.steps)
        with tempfile.TemporaryDirectory(dir=self._place) as folder:
            entry.contender.prepare(entry.workload, Path(folder))
            try:
                sample = entry.contender.execute(Path(folder), self._home, watch_memory=case.watch_memory)
                done = sum(notebook.is_file() for notebook in sample.notebooks)
                if done == wanted:
                    return {figure.title: figure.value(sample) for figure in case.figures}
                _say(f"  {name}: executed {done} of {wanted} notebooks")
            except measure.MeasuredProcessFailed as error:
                _say(f"  {name}: {error}\n{error.tail}")
            except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
                _say(f"  {name}: what it left cannot be read: {error!r}")
        return None


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
    if unknown := set(parsed.cases) - set("abcdef"):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if parsed.rounds < 1:
        parser.error("--rounds has to be 1 or more")
    if parsed.write and (parsed.quick or parsed.cases):
        parser.error("--write takes figures of a full run only: leave out --quick and --cases")
    if parsed.write and not report.has_place(parsed.write):
        parser.error(f"{parsed.write} has no place for the tables: {report.BEGIN} and {report.END}")
    return parsed


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
