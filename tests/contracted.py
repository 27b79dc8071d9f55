"""A pipeline with a contract, for tests: the stage `make` writes people, of whom one is too fast."""

from __future__ import annotations

from pathlib import Path

from building import ProjectBuilder

MAKE = """
import csv, pathlib
rows = [("ann", 1, 20.0), ("bob", 2, 1048.0), ("cyd", 3, 12.5)]
rows += [(f"n{i}", 4 + i, 10.0 + i) for i in range(more)]
with open(people, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["name", "number", "speed"])
    writer.writerows(rows)
with open("ran.txt", "a") as file:
    file.write("make\\n")
"""
COUNT = """
lines = open(people).read().splitlines()[1:]
open(total, "w").write(str(len(lines)))
with open("ran.txt", "a") as file:
    file.write("count\\n")
"""
PIPELINE = """
params: {more: 0}
stages:
  make:
    notebook: notebooks/make.ipynb
    params: {more: "${params.more}"}
    outputs: {people: data/people.csv}
  count:
    notebook: notebooks/count.ipynb
    inputs: {people: make.people}
    outputs: {total: data/total.txt}
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: p.make.people
version: 1.0.0
status: active
schema:
  - name: people
    properties:
      - name: name
        logicalType: string
        required: true
        classification: personal
      - name: number
        logicalType: integer
        unique: true
      - name: speed
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: MOST}
        customProperties: [{property: severity, value: SEVERITY}]
"""


def of_two_stages(builder: ProjectBuilder) -> ProjectBuilder:
    """A pipeline of two stages; each notes in `ran.txt` that it ran."""
    builder.without_tracking()
    builder.notebook("make", MAKE, params="more: int = 0\npeople: str = ''")
    builder.notebook("count", COUNT, params="people: str = ''\ntotal: str = ''")
    builder.pipeline(PIPELINE)
    return builder


def contract(project: ProjectBuilder, severity: str = "fail", most: int = 200) -> Path:
    """Write the contract of the output."""
    text = CONTRACT.replace("SEVERITY", severity).replace("MOST", str(most))
    return project.file("contracts/p.make.people.yaml", text)


def ran(project: ProjectBuilder) -> list[str]:
    """The notebooks that ran since the last look."""
    path = project.root / "ran.txt"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def people(project: ProjectBuilder) -> list[str]:
    """The names that are published."""
    lines = (project.root / "data/people.csv").read_text().splitlines()
    return [line.partition(",")[0] for line in lines[1:]]


def journal_text(project: ProjectBuilder) -> str:
    """All files of the project's state but the store and executed notebooks, where data is."""
    state = project.root / ".stagebook"
    parts = [state / "journal.db", state / "journal.db-wal", *state.glob("runs/*/*/*/*.json*")]
    return "".join(path.read_bytes().decode("latin-1") for path in parts if path.exists())
