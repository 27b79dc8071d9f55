"""The documentation is true: complete, up to date, its links resolve, and its commands run."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args, get_origin

import pytest

from stagebook.event_reading import KINDS
from stagebook.events import Cause, CellStatus, Status
from stagebook.pipeline import schema
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.yaml import read_document
from stagebook.workspace.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for folder, pattern in ((ROOT, "*.md"), (DOCS, "**/*.md"), (ROOT / "platform", "**/*.md"))
    for page in folder.glob(pattern)
)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return load_tool("reference")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    assert found, f"there is no heading '{heading}'"
    return found[1]


def first_column(text: str, table: int = 0) -> list[str]:
    """The first column of a table: what stands in its first pair of backticks, line by line."""
    tables = re.findall(r"^\| .*\n\| --- .*\n((?:\|.*\n?)+)", text, flags=re.MULTILINE)
    return [re.findall(r"^\| `([^`]+)`", line)[0] for line in tables[table].splitlines()]


def blocks(text: str, language: str) -> Iterator[tuple[str, str]]:
    """What follows the language of each fenced block, and the block."""
    for found in re.finditer(rf"^```{language}([^\n]*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        yield found[1].strip(), found[2]


# -- the reference --------------------------------------------------------------------------------


def test_generated_parts_are_up_to_date(reference: ModuleType) -> None:
    stale = [path for path, text in reference.generate().items() if read(path) != text]
    assert stale == [], "run: .venv/bin/python tools/reference.py"


def test_check_says_what_differs(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for path in reference.generate():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(read(path), encoding="utf-8")
    changed = tmp_path / "docs/reference/settings.md"
    changed.write_text(changed.read_text(encoding="utf-8").replace("`true`", "`maybe`"), encoding="utf-8")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "docs/reference/settings.md differs" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    changed.write_text("nothing", encoding="utf-8")
    assert reference.main(["--check"]) == 1
    assert "needs one" in capsys.readouterr().err


def test_picture_is_up_to_date() -> None:
    drawn = load_tool("picture").draw()
    assert drawn == read("docs/images/run.svg"), "run: .venv/bin/python tools/picture.py"
    assert re.findall(r"https?://[^\"' ]*", drawn) == ["http://www.w3.org/2000/svg"]


def test_every_command_and_option_is_documented(reference: ModuleType) -> None:
    text = read("docs/reference/commands.md")
    for name, command in reference.commands().items():
        part = section(text, f"`{name}`")
        for item in command.params:
            if item.param_type_name == "argument":
                assert f"| `{item.name.upper()}` |" in part, f"{name} {item.name}"
            else:
                assert item.help, f"{name} {item.opts} has no help"
                assert all(re.search(rf"`{option}[` ]", part) for option in item.opts), f"{name} {item.opts}"
    before = section(text, "Before the command")
    assert all(f"`{option}" in before for item in reference.common_options() for option in item.opts)
    overview = [f"stagebook {name}" for name in reference.commands()]
    assert first_column(text) == overview
    assert first_column(read("README.md")) == overview


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The file", schema.PipelineFile),
        ("Params", schema.ParamFile),
        ("Stages", schema.StageFile),
        ("Outputs", schema.OutputFile),
    ],
)
def test_every_key_of_the_pipeline_file_is_documented(heading: str, model: type[schema.PipelineFile]) -> None:
    rows = first_column(section(read("docs/reference/pipeline.md"), heading))
    assert sorted(rows) == sorted(model.model_fields)


def test_every_default_of_stages_is_documented() -> None:
    line = next(line for line in read("docs/reference/pipeline.md").splitlines() if "| `defaults` |" in line)
    assert all(f"`{key}`" in line for key in schema.DefaultsFile.model_fields)


def test_every_setting_is_documented() -> None:
    text = read("docs/reference/settings.md")
    for name, field in Settings.model_fields.items():
        model, names = field.annotation, name
        if get_origin(model) is dict:  # a section of what a person names
            model, names = get_args(model)[1], f"{name}.NAME"
        if not hasattr(model, "model_fields"):
            assert f"`[{name}.NAME]`" in text
            continue
        keys = [f"{names}.{key}" for key in model.model_fields]
        assert first_column(section(text, f"`[{name}]`")) == keys


@pytest.mark.parametrize(
    ("heading", "words"), [("Statuses", Status), ("Causes", Cause), ("Statuses of cells", CellStatus)]
)
def test_every_word_of_a_run_is_documented(heading: str, words: type[Status]) -> None:
    rows = first_column(section(read("docs/reference/events.md"), heading))
    assert rows == [str(word) for word in words]


def test_every_event_is_documented() -> None:
    text = read("docs/reference/events.md")
    for name, kind in KINDS.items():
        fields = [field.name for field in dataclasses.fields(kind) if field.name not in {"run", "at"}]
        assert first_column(section(text, f"`{name}`")) == fields


def test_every_error_is_documented(reference: ModuleType) -> None:
    rows = first_column(section(read("docs/reference/exit-codes.md"), "Errors"))
    assert rows == [kind.__name__ for kind in reference.error_classes()]


# -- examples -------------------------------------------------------------------------------------


def pipelines_of_the_pages() -> list[tuple[str, str]]:
    return [
        (page, block)
        for page in PAGES
        for _, block in blocks(read(page), "yaml")
        if re.search(r"^stages:", block, flags=re.MULTILINE)
    ]


@pytest.mark.parametrize(("page", "text"), pipelines_of_the_pages())
def test_examples_of_pipelines_have_no_mistakes(page: str, text: str) -> None:
    assert load_pipeline(text, page).problems == ()


def test_the_schema_accepts_the_pipelines() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    rules = json.loads(read("docs/reference/pipeline.schema.json"))
    texts = [block for _, block in pipelines_of_the_pages()]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipelines").glob("*.yaml"))]
    texts.append(read("platform/stagebook/templates/pipelines/hello.yaml"))
    for text in texts:
        jsonschema.validate(read_document(text, "").data, rules)


def test_make_has_the_targets_of_the_pages() -> None:
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), flags=re.MULTILINE))
    for page in PAGES:
        for _, block in blocks(read(page), "sh"):
            assert set(re.findall(r"^make ([\w-]+)", block, flags=re.MULTILINE)) <= targets, page


# -- links ----------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", plain, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page: str) -> None:
    broken = []
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path) if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = read("docs/README.md")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.name != "README.md"]
    assert [page for page in pages if f"({page})" not in index] == []


# -- environment.yml ------------------------------------------------------------------------------

CONDA_NAMES = {
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "pyyaml": "pyyaml",
    "duckdb": "python-duckdb",
    "tzdata": "python-tzdata",
}


def requirement(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", text.strip())
    assert found, text
    return found[1].lower(), found[2].replace(" ", "")


def test_environment_yml_equals_pyproject() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    wanted = dict(
        requirement(text) for text in [*project["dependencies"], *extras["lab"], *extras["examples"]]
    )
    data = read_document(read("environment.yml"), "environment.yml").data
    assert data["channels"] == ["conda-forge"]
    conda = [text for text in data["dependencies"] if isinstance(text, str)]
    pip = [text for entry in data["dependencies"] if isinstance(entry, dict) for text in entry["pip"]]
    assert "-e ." in pip
    found = dict(requirement(text) for text in [*conda, *pip] if text not in {"pip", "-e ."})
    assert found.pop("python") == project["requires-python"]
    assert found == {CONDA_NAMES.get(name, name): bounds for name, bounds in wanted.items()}


# -- the tutorial ---------------------------------------------------------------------------------


def commands_of(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that are shown of its output."""
    commands: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line == ">" or line.startswith("> "):
            command, shown = commands[-1]
            commands[-1] = (f"{command}\n{line[2:]}", shown)
        elif line.strip():
            commands[-1][1].append(line.rstrip())
    return commands


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_the_tutorial_runs(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": "160",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    here, note = tmp_path, tmp_path / ".where"
    seen = 0
    for more, block in blocks(read("docs/tutorial.md"), "console"):
        commands = commands_of(block)
        for at, (command, shown) in enumerate(commands):
            last = at == len(commands) - 1
            wanted = int(more.removeprefix("exit=")) if more and last else 0
            done = subprocess.run(
                ["bash", "-c", f'{command}\ncode=$?\npwd > "{note}"\nexit $code'],
                cwd=here,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=180,
                check=False,
            )
            here = Path(note.read_text(encoding="utf-8").strip())
            assert done.returncode == wanted, f"$ {command}\n{done.stdout}"
            printed = {line.rstrip() for line in done.stdout.splitlines()}
            assert [line for line in shown if line not in printed] == [], f"$ {command}\n{done.stdout}"
            seen += 1
    assert seen > 20
    assert "nan" not in (here / "data" / "summary.csv").read_text(encoding="utf-8")
