"""Contracts are of the Open Data Contract Standard: datacontract-cli, in an environment of its own, takes what Stagebook writes."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import stagebook

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT))  # for `benchmarks`, which knows how to make environments of other tools

from benchmarks import auditing  # noqa: E402
from benchmarks.environments import peer_environment  # noqa: E402

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def command() -> Path:
    """`datacontract`, installed."""
    return peer_environment("datacontract").python.with_name("datacontract")


def lint(command: Path, path: Path) -> str:
    """What is wrong with a contract; empty if nothing is."""
    done = subprocess.run(
        [command, "lint", "--all-errors", path], capture_output=True, text=True, timeout=120, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.long
def test_a_drafted_contract_is_taken(command: Path, builder: ProjectBuilder) -> None:
    builder.notebook("make", "1", params="rows = ''")
    builder.pipeline("stages: {make: {notebook: notebooks/make.ipynb, outputs: {rows: data/rows.csv}}}")
    path = builder.root / "data/rows.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "kind", "speed of it", "day", "moment", "good", "empty", "naïve"])
        for at in range(300):
            writer.writerow(
                [
                    at,
                    "ab"[at % 2],
                    at / 7,
                    f"2026-11-{1 + at % 28:02}",
                    "2026-11-01 10:00:00",
                    "true",
                    "",
                    "x: {",
                ]
            )
    done = stagebook(builder.root, "contract", "draft", "p", "make.rows", "--write")
    assert done.returncode == 0, done.stderr
    written = builder.root / "contracts/p.make.rows.yaml"
    assert lint(command, written) == ""
    text = written.read_text()
    written.write_text(text.replace("logicalType: date", "logicalType: nonsense"))
    assert "nonsense" in lint(command, written), "it does look"


@pytest.mark.long
def test_the_contracts_of_a_new_project_and_of_flights_are_taken(command: Path, tmp_path: Path) -> None:
    assert stagebook(tmp_path, "init", "demo").returncode == 0
    new = sorted((tmp_path / "demo/contracts").iterdir())
    assert [path.name for path in new] == ["hello.measure.readings.yaml"]
    for path in (*new, *sorted((ROOT / "contracts").glob("*.yaml"))):
        assert lint(command, path) == "", path


@pytest.mark.long
def test_the_contracts_of_the_documentation_and_of_the_benchmark_are_taken(
    command: Path, tmp_path: Path
) -> None:
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    examples = [found for found in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "apiVersion" in found]
    assert examples
    for at, example in enumerate([*examples, auditing.CONTRACT]):
        path = tmp_path / f"{at}.yaml"
        path.write_text(example, encoding="utf-8")
        assert lint(command, path) == ""
