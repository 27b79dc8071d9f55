"""The TypeScript types are those of the Python side, and a request is checked against them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.errors import UsageError
from stagebook_lab import wire
from stagebook_lab.present import to_json
from stagebook_lab.routes.handler import parse_request

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wire_tool", ROOT / "tools/wire.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_types_are_up_to_date(tool: ModuleType) -> None:
    found = {path.name: path.read_text() for path in (ROOT / tool.TARGET).iterdir()}
    assert tool.generate() == found, "run: .venv/bin/python tools/wire.py"


def test_a_drift_is_told(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    target = tmp_path / tool.TARGET / "runs.ts"
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.main(["--check"]) == 1
    assert "differs from the Python side" in capsys.readouterr().err
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    target.write_text(target.read_text().replace("readonly seq: number", "readonly seq: string"))
    assert tool.main(["--check"]) == 1


def test_every_class_has_its_interface(tool: ModuleType) -> None:
    text = "".join(tool.generate().values())
    kinds = [
        kind for kind in vars(wire).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    ]
    assert len(kinds) > 15
    for kind in kinds:
        assert f"export interface {kind.__name__} {{" in text
        assert kind.__doc__


def test_a_type_of_another_module_is_imported_and_declared_once(tool: ModuleType) -> None:
    found = tool.generate()
    assert (
        "import type { AttemptInfo, Note, StageInfo, StageStatus } from './runs';\n" in found["timeline.ts"]
    )
    assert "import type { ProcessReply } from './actions';\n" in found["schedules.ts"]
    assert "import type" not in found["projects.ts"]
    text = "".join(found.values())
    for name in ("StageStatus", "BackfillState", "ScheduleAction"):
        assert text.count(f"export type {name} =") == 1
    for name in ("Note", "Problem", "ProcessReply", "StageInfo"):
        assert text.count(f"export interface {name} {{") == 1


texts = st.text(max_size=8)
requests = st.builds(
    wire.RunRequest,
    pipeline=texts,
    project=texts,
    stages=st.lists(texts, max_size=3).map(tuple),
    only=st.lists(texts, max_size=3).map(tuple),
    params=st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3),
    jobs=st.none() | st.integers(),
    keep_going=st.booleans(),
)


@given(requests)
def test_a_request_survives_the_way(request: wire.RunRequest) -> None:
    assert parse_request(wire.RunRequest, to_json(request).encode()) == request


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["pipeline", "jobs", "only", "params", "x"]), json_values))
def test_anything_else_is_refused_as_a_mistake(data: dict[str, object]) -> None:
    with contextlib.suppress(UsageError):
        parse_request(wire.RunRequest, json.dumps(data).encode())


@given(json_values)
def test_what_is_sent_is_json_for_every_browser(value: object) -> None:
    text = to_json(wire.EventItem(seq=1, event={"value": value}))
    assert json.loads(text, parse_constant=pytest.fail)["seq"] == 1
