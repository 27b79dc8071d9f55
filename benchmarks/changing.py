"""`python -m benchmarks.changing [--rows N] [--stages N] [--megabytes N] [--rounds N] [--also FOLDER] [--write FILE]`: what a
change costs. Two versions of a table compared, beside datacompy; a promotion and a rollback of many stages, in a temporary folder and
in that of `--also`, such as one of a file system with reflinks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import measure, report
from benchmarks.environments import HERE, Environment, peer_environment, project_environment

_DATA = """
COPY (
    SELECT
        range AS id,
        (['AA', 'B6', 'DL', 'EV', 'UA'])[1 + range % 5] AS carrier,
        (range * 7919) % 1500 - 100 + CASE WHEN {changed} AND range % 1000 = 3 THEN 1 ELSE 0 END AS delay,
        CASE WHEN range % 40 = 0 THEN NULL ELSE (range * 104729) % 2000 / 10 END::DOUBLE AS speed,
        TIMESTAMP '2013-01-01' + INTERVAL (range % 365) DAY AS day
    FROM range({start}, {stop})
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""
_NOTEBOOK = "import os\nopen(out, 'wb').write(os.urandom(size))"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the tables; the exit code is 1 where the contenders do not find the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--also", metavar="FOLDER", type=Path, help="promote and roll back there, too")
    parser.add_argument("--write", metavar="FILE", type=Path, help="put the tables into this document")
    parsed = parser.parse_args(arguments)
    own = project_environment()
    with tempfile.TemporaryDirectory(prefix="stagebook-changing-") as folder:
        compared, same = _compare(Path(folder), own, parsed.rows, parsed.rounds)
        moved = _move(Path(folder), own, parsed.stages, parsed.megabytes, parsed.rounds)
    if parsed.also:
        with tempfile.TemporaryDirectory(prefix="stagebook-changing-", dir=parsed.also) as folder:
            beside = _move(Path(folder), own, parsed.stages, parsed.megabytes, parsed.rounds)
        moved = f"{moved}\n{beside}"
    text = f"{compared}\n{moved}"
    print(text)
    if parsed.write:
        report.write_into(parsed.write, "changes", text)
    return 0 if same else 1


def _compare(place: Path, own: Environment, rows: int, rounds: int) -> tuple[str, bool]:
    """Two versions of a table: a thousandth of the rows changed, a thousandth is gone, as many are new."""
    shift = rows // 1000
    before, after = place / "before.parquet", place / "after.parquet"
    for path, start, changed in ((before, 0, "false"), (after, shift, "true")):
        sql = _DATA.format(start=start, stop=start + rows, path=path, changed=changed)
        subprocess.run([str(own.python), "-c", f"import duckdb; duckdb.sql({sql!r})"], check=True)
    peer = peer_environment("datacompy")
    # The environment, the driver, and the last words of its command line.
    contenders = {
        "stagebook": (own, "stagebook", str(place)),
        "datacompy, pandas": (peer, "datacompy", "pandas"),
        "datacompy, polars": (peer, "datacompy", "polars"),
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    answers: dict[str, str] = {}
    for at in range(rounds):
        for name in [*contenders][:: 1 if at % 2 else -1]:
            environment, driver, last = contenders[name]
            command = [
                str(environment.python),
                str(HERE / f"drive_diff_{driver}.py"),
                str(before),
                str(after),
            ]
            log = place / "compare.log"
            seen = measure.run(
                [*command, "id", last],
                cwd=place,
                env=environment.variables(place),
                log=log,
                watch_memory=True,
            )
            samples[name].append((seen.wall, max(seen.peaks.values()) / 1e6))
            answers[name] = log.read_text().strip().splitlines()[-1]
    lines = [
        f"| two versions of a table of {rows:,} rows, by key, whole process | version | seconds: median (lowest to highest) | peak memory, MB |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in samples.items():
        seconds, memory = zip(*found, strict=True)
        package = name.partition(",")[0]
        version = contenders[name][0].versions([package]).get(package, "")
        lines.append(f"| {name} | {version} | {_spread(seconds)} | {max(memory):,.0f} |")
    return "\n".join(lines) + "\n", len({json.dumps(json.loads(text)) for text in answers.values()}) == 1


def _move(place: Path, own: Environment, stages: int, megabytes: int, rounds: int) -> str:
    """Promotions and rollbacks of many stages, each with a file."""
    root = place / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "pipelines").mkdir()
    cells = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {"tags": tags}, "source": source, "outputs": [], "execution_count": None}
        for at, (source, tags) in enumerate((("n = 0\nsize = 0\nout = ''", ["parameters"]), (_NOTEBOOK, [])))
    ]  # fmt: skip
    spec = {"name": "python3", "display_name": "python3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    (root / "notebooks/make.ipynb").write_text(json.dumps(notebook))
    (root / "stagebook.toml").write_text("[tracking]\nenabled = false\n[environments.prod]\n")
    (root / "pipelines/many.yaml").write_text(
        "params: {round: 0}\ndefaults: {executor: inprocess}\nstages:\n  make:\n    notebook: notebooks/make.ipynb\n"
        f"    matrix: {{n: {list(range(stages))}}}\n"
        f'    params: {{n: "${{matrix.n + params.round}}", size: {megabytes * 1_000_000 // stages}}}\n'
        '    outputs: {out: "data/${matrix.n}.bin"}\n'
    )
    times: dict[str, list[float]] = {"a promotion": [], "a rollback": []}
    for at in range(rounds + 1):
        path = root / "pipelines/many.yaml"
        path.write_text(path.read_text().replace(f"round: {(at - 1) * stages}}}", f"round: {at * stages}}}"))
        _stagebook(own, root, "run", "many")
        spent = _timed(lambda: _stagebook(own, root, "promote", "dev", "prod", "--yes", "--allow-dirty"))
        if at:
            times["a promotion"].append(spent)
            times["a rollback"].append(_timed(lambda: _stagebook(own, root, "rollback", "--env", "prod")))
    how = "reflinks" if _has_reflinks(place) else "copies: the file system has no reflinks"
    lines = [
        f"| {stages} stages, {megabytes:,} MB of outputs, whole process ({how}) | seconds: median (lowest to highest) |",
        "| --- | --- |",
        *(f"| {name} | {_spread(found)} |" for name, found in times.items()),
    ]
    return "\n".join(lines) + "\n"


def _stagebook(own: Environment, root: Path, *words: str) -> None:
    command = [str(own.python), "-m", "stagebook", *words]
    done = subprocess.run(
        command, cwd=root, env=own.variables(root), check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _has_reflinks(place: Path) -> bool:
    (place / "probe").write_bytes(b"x")
    done = subprocess.run(
        ["cp", "--reflink=always", "probe", "probe2"],
        cwd=place,
        check=False,
        capture_output=True,
    )
    return done.returncode == 0 and shutil.which("cp") is not None


def _spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    raise SystemExit(main())
