"""What was observed, held against what is declared."""

from __future__ import annotations

import dataclasses

import pytest

from stagebook.observed import Observed
from stagebook.planning.plan import PlannedInput, PlannedOutput, PlannedStage
from stagebook.planning.undeclared import compare, messages, refusal, variables_of


def stage(*, strict: bool = False, **inputs: str | tuple[str, ...]) -> PlannedStage:
    return PlannedStage(
        id="train",
        stage="train",
        notebook="notebooks/train.ipynb",
        inputs={
            name: PlannedInput(
                paths=(path,) if isinstance(path, str) else path, many=not isinstance(path, str)
            )
            for name, path in inputs.items()
        },
        outputs={"model": PlannedOutput(path="data/models/m.joblib"), "plots": PlannedOutput(path="plots")},
        strict=strict,
    )


def seen(*reads: str, writes: tuple[str, ...] = ()) -> Observed:
    return Observed(reads=reads, writes=writes)


@pytest.mark.parametrize(
    ("observed", "found"),
    [
        (None, ()),
        (seen(), ()),
        (seen("data/x.csv"), ()),
        (seen("data/folder/deep/a.csv"), ()),
        (seen("data/many/1.csv", "data/many/2.csv", "data/many"), ()),
        (seen("data", "data/many", ".", "data/models"), ()),
        (seen("src/lib.py", "src/pack/inner.py", "notebooks/train.ipynb"), ()),
        (seen("data/models/m.joblib", "plots/a.png"), ()),
        (seen("tmp/x", writes=("tmp/x",)), ()),
        (seen("tmp/set/a", writes=("tmp/set",)), ()),
        (seen("data/other.csv"), ("data/other.csv",)),
        (
            seen("data/x.csv.bak", "data/folder2/a", "data/raw"),
            ("data/x.csv.bak", "data/folder2/a", "data/raw"),
        ),
    ],
)
def test_undeclared_reads(observed: Observed | None, found: tuple[str, ...]) -> None:
    declared = stage(x="data/x.csv", folder="data/folder", many=("data/many/1.csv", "data/many/2.csv"))
    assert compare(declared, observed, code=["src/lib.py", "src/pack"]).undeclared_reads == found


def test_undeclared_writes() -> None:
    observed = seen(writes=("data/models/m.joblib", "plots/a.png", "data/side.csv"))
    assert compare(stage(), observed).undeclared_writes == ("data/side.csv",)


def test_unread_inputs() -> None:
    declared = stage(x="data/x.csv", folder="data/folder", y="data/y.csv", z="in/z.csv")
    observed = seen("data/x.csv", "data/folder/a.csv")
    assert compare(declared, observed).unread_inputs == ()
    assert compare(declared, observed, names={"y"}).unread_inputs == ("z",)
    assert compare(declared, seen("in", "data/x.csv", "data/folder"), names=()).unread_inputs == ("y",)
    assert compare(declared, dataclasses.replace(observed, left_out=1), names=()).unread_inputs == ()
    assert compare(declared, None, names=()).unread_inputs == ()


def test_messages() -> None:
    declared = stage(x="data/x.csv")
    found = compare(declared, seen("a.csv", *(f"b/{n}" for n in range(9)), writes=("c",)), names=())
    assert messages(found, declared) == [
        "train reads a.csv, which is not declared: changes of it go unnoticed",
        "train reads 9 files in b, which are not declared: changes of them go unnoticed",
        (
            "train writes c, which is not declared: no stage can refer to it, and a failed run may leave "
            "it half-written"
        ),
        "train does not use its input 'x' (data/x.csv): changes of it run the stage for nothing",
    ]


def test_strict() -> None:
    assert refusal(stage(), seen("a.csv")) == ""
    assert refusal(stage(strict=True), seen("src/a.py"), code=["src/a.py"]) == ""
    assert refusal(stage(strict=True), None) == ""
    assert refusal(stage(strict=True), seen("a.csv")) == (
        "it is strict, and reads what is not declared as an input: a.csv"
    )


def test_variables_that_are_declared_or_of_the_machine_or_secret_are_no_findings() -> None:
    read = {"HOME", "MLFLOW_RUN_ID", "STAGEBOOK_STAGE", "API_KEY", "DECLARED", "B", "A"}
    assert variables_of(dataclasses.replace(stage(), env=("DECLARED",)), read) == ["A", "B"]


def test_what_was_declared_then_is_no_finding_under_other_parameters() -> None:
    """The tutorial: the last run had three sensors, the plan has two."""
    observed = seen("raw/roof.csv", "raw/cellar.csv", "raw/other.csv", writes=("raw/made.csv",))
    observed = dataclasses.replace(
        observed, inputs=("raw/roof.csv", "raw/cellar.csv"), outputs=("raw/made.csv",)
    )
    found = compare(stage(raw=("raw/roof.csv", "raw/garden.csv")), observed)
    assert (found.undeclared_reads, found.undeclared_writes) == (("raw/other.csv",), ())


def test_an_input_that_was_not_declared_then_is_not_called_unread() -> None:
    observed = dataclasses.replace(seen("raw/roof.csv"), inputs=("raw/roof.csv", "raw/unused.csv"))
    declared = stage(raw="raw/roof.csv", new="raw/new.csv", unused="raw/unused.csv")
    assert compare(declared, observed, names=set()).unread_inputs == ("unused",)
