"""Outputs come to their places together, and a result says whether they did."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeClock
from stagebook.artifact import Artifact
from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import AttemptResult, OutputSlot
from stagebook.execution.runner.context import RunContext
from stagebook.execution.runner.publication import Publisher
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import PlannedOutput, PlannedStage
from stagebook.planning.result import Result
from stagebook.system.blobs import BlobDamaged
from stagebook.system.file_cache import stat_of
from stagebook.system.files import describe_path
from stagebook.system.store import Store

STAGE = PlannedStage(
    id="a", stage="a", notebook="a.ipynb", outputs={name: PlannedOutput(path=f"data/{name}") for name in ("x", "y")}
)  # fmt: skip
SLOTS = {name: OutputSlot(path=f"data/{name}", staged=f"staged/{name}") for name in ("x", "y")}


class Guard:
    """Counts how often it was held, and whether it is now."""

    def __init__(self) -> None:
        self.count = 0
        self.is_held = False

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        self.count, self.is_held = self.count + 1, True
        yield
        self.is_held = False


def publisher(root: Path, **more: Any) -> Publisher:
    context = RunContext(
        root=root, folder=root / ".stagebook/runs/r", clock=FakeClock(), emit=lambda _events: None, executable=Path, **more
    )  # fmt: skip
    return Publisher(context)


def completed(root: Path, **contents: str) -> AttemptResult:
    """The result of an attempt that staged these outputs."""
    (root / "staged").mkdir(exist_ok=True)
    for name, content in contents.items():
        (root / f"staged/{name}").write_text(content)
    outputs = {name: describe_path(root / f"staged/{name}", f"data/{name}") for name in contents}
    return AttemptResult(outputs=outputs, scraps={"rows": {"value": 1}})


def kept(root: Path, store: Store, **contents: str) -> Result:
    """An earlier result whose outputs are in the store."""
    outputs: dict[str, Artifact] = {}
    for name, content in contents.items():
        (root / "made").write_text(content)
        outputs[name] = store.keep(root / "made", f"old/{name}")
    return Result(
        number=1, pipeline="p", stage="a", run="r", attempt=1, at=1.0, fingerprint="f", outputs=outputs
    )


def files(root: Path) -> dict[str, str]:
    """What lies in the places of outputs."""
    return {path.name: path.read_text() for path in (root / "data").iterdir() if path.is_file()}


def published(made: Publisher, result: AttemptResult) -> AttemptResult:
    near, result = made.bring_near(SLOTS, result)
    return made.publish(SLOTS, near, result)


def test_what_was_published_is_known_by_its_stat_and_its_digest(tmp_path: Path) -> None:
    made, result = publisher(tmp_path), completed(tmp_path, x="1", y="2")
    assert published(made, result) == result
    assert files(tmp_path) == {"x": "1", "y": "2"}
    assert made.published == {
        f"data/{name}": (stat_of(tmp_path / f"data/{name}"), result.outputs[name].sha256) for name in "xy"
    }


def test_a_folder_is_published_and_not_taken_for_a_file_that_is_known(tmp_path: Path) -> None:
    made, result = publisher(tmp_path), completed(tmp_path, x="1")
    (tmp_path / "staged/y").mkdir()
    (tmp_path / "staged/y/part").write_text("2")
    assert published(made, result).cause is None
    assert (tmp_path / "data/y/part").read_text() == "2"
    assert set(made.published) == {"data/x"}


@pytest.mark.parametrize("absent", ["x", "y"])
def test_an_output_that_cannot_be_moved_fails_the_attempt_and_leaves_what_was_there(
    tmp_path: Path, absent: str
) -> None:
    made, result = publisher(tmp_path), completed(tmp_path, x="new", y="new")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("old")
    near, result = made.bring_near(SLOTS, result)
    (tmp_path / f"staged/{absent}").unlink()
    failed = made.publish(SLOTS, near, result)
    assert failed.cause is Cause.PUBLICATION
    assert f"'data/{absent}' could not be moved" in failed.message
    assert (failed.outputs, failed.scraps) == ({}, result.scraps)
    assert (files(tmp_path), made.published) == ({"x": "old"}, {})


def test_what_was_not_staged_fails_the_attempt_before_anything_moves(tmp_path: Path) -> None:
    near, failed = publisher(tmp_path).bring_near(SLOTS, completed(tmp_path, x="1"))
    assert (near, failed.cause) == ({}, Cause.PUBLICATION)
    assert files(tmp_path) == {}


def test_nothing_of_a_failed_attempt_is_published(tmp_path: Path) -> None:
    completed(tmp_path, x="1", y="2")
    failed = AttemptResult(cause=Cause.EXCEPTION, message="its own")
    assert published(publisher(tmp_path), failed) == failed
    assert not (tmp_path / "data").exists()


def test_outputs_of_an_earlier_result_are_put_back_while_the_pipeline_is_held(tmp_path: Path) -> None:
    store, guard = Store(tmp_path / "store"), Guard()
    made = publisher(tmp_path, store=store, guard=guard)
    result = kept(tmp_path, store, x="1", y="2")
    with made.restored(STAGE, result, ["data/x"]):
        assert (files(tmp_path), guard.is_held) == ({"x": "1"}, True)
        assert set(made.published) == {"data/x"}
    assert not guard.is_held
    with made.restored(STAGE, result, []), made.restored(STAGE, None, ["data/y"]):
        assert files(tmp_path) == {"x": "1"}
    assert guard.count == 1, "it is not held for nothing"


def test_of_an_earlier_result_all_is_put_back_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made, result = publisher(tmp_path, store=store), kept(tmp_path, store, x="new", y="other")
    store.blobs.remove(result.outputs["y"].sha256)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("old")
    with pytest.raises(BlobDamaged), made.restored(STAGE, result, ["data/x", "data/y"]):
        pytest.fail("it is not begun")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["x"], "nor is anything left beside it"
    assert files(tmp_path) == {"x": "old"}


def test_a_place_that_cannot_be_written_is_the_failure_of_the_stage(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    result = kept(tmp_path, store, x="1")
    (tmp_path / "data").write_text("a file where a folder has to be")
    restored = publisher(tmp_path, store=store).restored(STAGE, result, ["data/x"])
    with pytest.raises(StageFailure, match="could not be restored") as caught, restored:
        pytest.fail("it is not begun")
    assert caught.value.cause == Cause.PUBLICATION
    assert store.holds(result.outputs["x"])


FINGERPRINT = Fingerprint(parts={"code": ["0a"], "params": {"n": 1}, "inputs": {}})


def test_a_result_is_recognised_by_its_fingerprint_and_shows_its_code(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    texts = {"cells": ["x = 1"]}
    found = publisher(tmp_path, store=store, sources=lambda _stage: texts).reusable(STAGE, FINGERPRINT)
    assert (found["fingerprint"], found["head"], found["parts"]) == (
        FINGERPRINT.digest, FINGERPRINT.head, FINGERPRINT.parts,
    )  # fmt: skip
    assert json.loads(str(store.blobs.read(found["sources"]))) == texts


def test_a_result_is_recognised_though_its_code_cannot_be_shown(tmp_path: Path) -> None:
    def unreadable(_stage: PlannedStage) -> Mapping[str, Any]:
        msg = "it is gone"
        raise NotebookUnreadable(msg)

    store = Store(tmp_path / "store")
    for given in ({"store": store, "sources": unreadable}, {"store": store}, {"sources": unreadable}):
        found = publisher(tmp_path, **given).reusable(STAGE, FINGERPRINT)
        assert (found["fingerprint"], found["sources"]) == (FINGERPRINT.digest, "")
