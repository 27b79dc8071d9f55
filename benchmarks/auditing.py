"""`python -m benchmarks.auditing [--rows N] [--rounds N] [--write FILE]`: one contract of twelve checks over ten million rows,
in Stagebook, pandera and Great Expectations, each in an environment of its own, side by side.

All have to find the same rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure, report
from benchmarks.environments import HERE, Environment, peer_environment, project_environment

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.flights
version: 1.0.0
status: active
schema:
  - name: flights
    properties:
      - {name: id, logicalType: integer, required: true, unique: true}
      - name: carrier
        logicalType: string
        required: true
        enum: [{value: AA}, {value: B6}, {value: DL}, {value: EV}, {value: UA}, {value: US}, {value: WN}, {value: 9E}, {value: MQ}, {value: VX}]
      - {name: origin, logicalType: string, enum: [{value: EWR}, {value: JFK}, {value: LGA}]}
      - {name: delay, logicalType: number, logicalTypeOptions: {minimum: -120, maximum: 1500}}
      - name: speed
        logicalType: number
        quality:
          - {metric: invalidValues, arguments: {minimum: 0}, mustBe: 0}
          - {metric: invalidValues, arguments: {maximum: 200}, mustBe: 0}
      - {name: tail, logicalType: string, logicalTypeOptions: {pattern: '^N[0-9A-Z]+$', maxLength: 6}}
      - {name: day, logicalType: timestamp, logicalTypeOptions: {minimum: '2013-01-01', maximum: '2013-12-31'}}
    quality:
      - {metric: rowCount, mustBeGreaterOrEqualTo: 1000000}
"""
_DATA = """
COPY (
    SELECT
        range AS id,
        (['AA', 'B6', 'DL', 'EV', 'UA', 'US', 'WN', '9E', 'MQ', 'VX'])[1 + range % 10] AS carrier,
        CASE WHEN range % 1000003 = 7 THEN 'BOS' ELSE (['EWR', 'JFK', 'LGA'])[1 + range % 3] END AS origin,
        CASE WHEN range % 40 = 0 THEN NULL ELSE (range * 7919) % 1500 - 100 END::DOUBLE AS delay,
        CASE WHEN range % 2000003 = 5 THEN 1048.4 ELSE (range * 104729) % 2000 / 10 END::DOUBLE AS speed,
        CASE WHEN range % 50 = 0 THEN NULL ELSE 'N' || (10000 + range % 90000) END AS tail,
        TIMESTAMP '2013-01-01' + INTERVAL (range % 365) DAY AS day
    FROM range({rows})
) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table; the exit code is 1 where the contenders do not find the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", metavar="FILE", type=Path, help="put the table into this document")
    parsed = parser.parse_args(arguments)
    own = project_environment()
    contenders: dict[str, Environment] = {"stagebook": own}
    contenders |= {name: peer_environment(name) for name in ("pandera", "gx")}
    with tempfile.TemporaryDirectory(prefix="stagebook-audit-") as folder:
        place = Path(folder)
        data, contract = place / "flights.parquet", place / "contract.yaml"
        contract.write_text(CONTRACT)
        make = f"import duckdb; duckdb.sql({_DATA.format(rows=parsed.rows, path=data)!r})"
        subprocess.run([str(own.python), "-c", make], check=True)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        answers: dict[str, str] = {}
        for at in range(parsed.rounds):
            names = list(contenders)[at % len(contenders) :] + list(contenders)[: at % len(contenders)]
            for name in names:
                spill = place / f"spill-{name}-{at}"
                spill.mkdir()
                command = [str(contenders[name].python), str(HERE / f"drive_audit_{name}.py"), str(data)]
                command += [str(contract), str(spill)] if name == "stagebook" else []
                log = place / f"{name}.log"
                environment = contenders[name].variables(place)
                seen = measure.run(command, cwd=place, env=environment, log=log, watch_memory=True)
                found[name].append((seen.wall, max(seen.peaks.values()) / 1e6))
                answers[name] = log.read_text().splitlines()[-1]
    table = _table(found, contenders, parsed.rows)
    print(table)
    if parsed.write:
        report.write_into(parsed.write, "audits", table)
    same = len({json.dumps(json.loads(text)) for text in answers.values()}) == 1
    print("all find the same:" if same else "they do not find the same:", answers)
    return 0 if same else 1


_NAMES = {"stagebook": "Stagebook", "pandera": "pandera", "gx": "great-expectations"}


def _table(found: dict[str, list[tuple[float, float]]], contenders: dict[str, Environment], rows: int) -> str:
    lines = [
        f"| {rows:,} rows, 12 checks, whole process | version | seconds: median (lowest to highest) | peak memory, MB |",
        "| --- | --- | --- | --- |",
    ]
    for name, samples in found.items():
        seconds, memory = zip(*samples, strict=True)
        version = contenders[name].versions([_NAMES[name].lower()]).get(_NAMES[name].lower(), "")
        spread = f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
        lines.append(f"| {_NAMES[name]} | {version} | {spread} | {max(memory):,.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
