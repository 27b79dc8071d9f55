"""What the property tests draw from: plain data, types, expressions, graphs, pipelines."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from hypothesis import strategies as st

from stagebook import events
from stagebook.artifact import Artifact
from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.events import Event, Status
from stagebook.figures import ColumnFigures, TableFigures
from stagebook.observed import Observed
from stagebook.origin import Origin
from stagebook.pipeline.types import Type, union
from stagebook.timing.interval import Interval
from stagebook.timing.zones import at as moment_at

# Text that YAML can hold without an escape.
texts = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"
    ),
    max_size=12,
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
plain_data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

_simple_types = st.sampled_from(
    [Type(kind) for kind in ("int", "float", "bool", "str", "date", "datetime", "Path", "None", "Any")]
)
_choices = st.lists(
    st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | texts | st.none(), min_size=1, max_size=3
)
types = st.recursive(
    _simple_types | _choices.map(lambda choices: Type("Literal", choices=tuple(choices))),
    lambda inner: st.one_of(
        inner.map(lambda item: Type("list", (item,))),
        inner.map(lambda item: Type("tuple", (item,))),
        inner.map(lambda item: Type("dict", (Type("str"), item))),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: union(*items)),
    ),
    max_leaves=5,
)
typed_values = (
    plain_data
    | st.dates().map(str)
    | st.datetimes().map(str)
    | st.lists(st.integers() | st.floats(allow_nan=False))
)

# Arithmetic that Python and the expressions agree on, with the names a, b and c.
arithmetic = st.recursive(
    st.integers(0, 50).map(str) | st.sampled_from(["a", "b", "c", "1.5", "True", "0.25"]),
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", "and", "or"]), inner
        ).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        st.tuples(inner, inner, inner).map(lambda it: f"({it[0]} if {it[1]} else {it[2]})"),
        inner.map(lambda it: f"-({it})"),
        inner.map(lambda it: f"(not {it})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda it: f"max({', '.join(it)}, 0)"),
        st.lists(inner, min_size=1, max_size=3).map(lambda it: f"len([{', '.join(it)}])"),
        st.lists(inner, min_size=1, max_size=3).map(lambda it: f"sum([{', '.join(it)}])"),
    ),
    max_leaves=8,
)
# Text that is nearly an expression.
_words = [
    "params",
    "matrix",
    "env",
    "stages",
    "run",
    ".x",
    ".y",
    "['x']",
    "[0]",
    "[1:]",
    "1",
    "0",
    "9",
    "2.5",
    "1e308",
    "'a'",
    '"b"',
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    " if ",
    " else ",
    " and ",
    " not ",
    " in ",
    " is ",
    "<",
    "==",
    "len",
    "range",
    "sum",
    "sorted",
    "str",
    "int",
    "float",
    "max",
    "round",
    "lambda",
    "for",
    "~",
    "@",
    "b'x'",
    "f'{1}'",
    "...",
    "1j",
    "__class__",
    "\\",
    "\n",
    "\0",
    "é",
    ":=",
]
noise = st.lists(st.sampled_from(_words) | st.text(max_size=3), max_size=14).map("".join)
templates = st.recursive(
    noise.map(lambda text: "${" + text + "}") | noise | noise.map(lambda text: "x${" + text + "}$${"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def dags(draw: st.DrawFn, most: int = 9) -> dict[str, tuple[str, ...]]:
    """A graph without cycles, its nodes in any order."""
    names = [f"n{at}" for at in range(draw(st.integers(0, most)))]
    edges = {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), max_size=3))) if at else ()
        for at, name in enumerate(names)
    }
    return {name: edges[name] for name in draw(st.permutations(names))}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Any graph, with cycles and edges to itself."""
    names = [f"n{at}" for at in range(draw(st.integers(1, 7)))]
    return {name: tuple(draw(st.lists(st.sampled_from(names), max_size=3))) for name in names}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A pipeline file and the edges that it has, by stage."""

    text: str
    edges: dict[str, set[str]]
    points: dict[str, list[int]]


@st.composite
def pipelines(draw: st.DrawFn) -> Drawn:
    """A valid pipeline: stages with inputs from any stage before them, some with a matrix. Every
    stage runs `notebooks/n.ipynb`, which takes what it is given."""
    names = [f"s{at}" for at in range(draw(st.integers(1, 6)))]
    stages: dict[str, Any] = {}
    edges: dict[str, set[str]] = {}
    points: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        stage: dict[str, Any] = {"notebook": "notebooks/n.ipynb"}
        before = names[:at]
        needs = draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
        after = draw(st.lists(st.sampled_from(before), max_size=1)) if before else []
        points[name] = (
            draw(st.lists(st.integers(-3, 20), max_size=3, unique=True)) if draw(st.booleans()) else []
        )
        path = f"data/{name}"
        if points[name]:
            stage["matrix"] = {"m": points[name]}
            stage["params"] = {"n": "${matrix.m * params.k}"}
            path += "-${matrix.m}"
        if needs:
            stage["inputs"] = {f"in{index}": f"{need}.out" for index, need in enumerate(needs)}
        if after:
            stage["after"] = after
        stage["outputs"] = {"out": path}
        stages[name] = stage
        edges[name] = {*needs, *after}
    order = draw(st.permutations(names))
    text = json.dumps(
        {"params": {"k": draw(st.integers(0, 9))}, "stages": {name: stages[name] for name in order}}
    )
    return Drawn(text, edges, points)


# The events of a run `r`, by their kinds.
_text = st.text(max_size=20)
_number = st.floats(0, 2e9, allow_nan=False)
_small = st.integers(0, 50)
_data = st.dictionaries(
    _text, st.one_of(st.none(), st.integers(), _text, st.lists(_text, max_size=2)), max_size=3
)
_stage = st.sampled_from(["a", "b", "c@1"])
_run = st.just("r")
_instance = st.fixed_dictionaries({"id": st.sampled_from(["a@1", "b@2"]), "stage": _stage, "notebook": _text})
_artifact = st.builds(
    Artifact,
    path=_text,
    size=st.none() | _small,
    sha256=_text,
    kept=st.booleans(),
    folder=st.booleans(),
    executable=st.booleans() | st.lists(_text, min_size=1, max_size=2).map(tuple),
    external=st.booleans(),
    version=st.none() | _small,
)
_artifacts = st.dictionaries(_text, _artifact, max_size=2)
_texts = st.lists(_text, max_size=2).map(tuple)
_intervals = st.tuples(
    st.integers(0, 2**31), st.integers(1, 10**7), st.sampled_from(["UTC", "Europe/Berlin"])
).map(lambda it: Interval(start=moment_at(it[0]), end=moment_at(it[0] + it[1]), zone=it[2]))
_check = st.builds(
    CheckResult,
    rule=_text,
    text=_text,
    severity=st.sampled_from(Severity),
    outcome=st.sampled_from(Outcome),
    figure=st.none() | _number,
    message=_text,
    line=_small,
    columns=_texts,
    sample=st.lists(_data, max_size=1).map(tuple),
)
_figures = st.builds(
    TableFigures,
    rows=st.integers(0, 10**9),
    columns=st.dictionaries(
        texts,
        st.builds(
            ColumnFigures,
            type=texts,
            nulls=st.integers(0, 10**9),
            distinct=st.integers(0, 10**9),
            quantiles=st.sampled_from([(), (1.0, 2.0, 3.5, 4.0, 5.0)]),
            newest=st.none() | st.floats(0, 1e10),
        ),
        max_size=2,
    ),
)
_audits = st.dictionaries(
    _text,
    st.builds(
        Audit,
        dataset=_text,
        contract=_text,
        version=_text,
        digest=_text,
        rows=_small,
        checks=st.lists(_check, max_size=2).map(tuple),
        seconds=_number,
        rejected=_small,
        personal=_texts,
        not_checked=_texts,
    ),
    max_size=1,
)
_moved = st.fixed_dictionaries(
    {"marks": st.dictionaries(_text, st.none() | _text | _small, max_size=2), "anew": st.booleans()}
)
EVENTS: dict[str, st.SearchStrategy[Event]] = {
    "RunStarted": st.builds(
        events.RunStarted,
        run=_run,
        at=_number,
        pipeline=_text,
        plan=st.just({"params": {"x": 1}, "stages": [{"id": name, "notebook": "n"} for name in ("a", "b")]}),
        jobs=_small,
        keep_going=st.booleans(),
        interval=st.just({}) | _intervals.map(lambda one: one.to_json()),
        schedule=_text,
        origin=st.builds(
            Origin,
            user=_text,
            host=_text,
            pid=_small,
            command=_text,
            commit=_text,
            via=_text,
            account=_text,
            signals=st.booleans(),
        ),
    ),
    "AttemptStarted": st.builds(
        events.AttemptStarted,
        run=_run,
        at=_number,
        stage=_stage,
        attempt=_small,
        folder=_text,
        params=_data,
        expected=st.none() | _number,
        external=st.lists(_text, max_size=2),
    ),
    "CellStarted": st.builds(
        events.CellStarted, run=_run, at=_number, stage=_stage, attempt=_small, cell=_small, cells=_small
    ),
    "CellEnded": st.builds(
        events.CellEnded,
        run=_run,
        at=_number,
        stage=_stage,
        attempt=_small,
        cell=_small,
        cells=_small,
        status=st.sampled_from(events.CellStatus),
        seconds=_number,
        cpu=_number,
        memory=_small,
    ),
    "OutputWritten": st.builds(
        events.OutputWritten,
        run=_run,
        at=_number,
        stage=_stage,
        attempt=_small,
        text=_text,
        size=_small,
        cell=_small,
    ),
    "AttemptProgress": st.builds(
        events.AttemptProgress,
        run=_run,
        at=_number,
        stage=_stage,
        attempt=_small,
        cells=_small,
        seconds=_number,
        cell=st.none() | _small,
        expected=st.none() | _number,
        cpu=_number,
        memory=_small,
    ),
    "AttemptFrozen": st.builds(
        events.AttemptFrozen, run=_run, at=_number, stage=_stage, attempt=_small, seconds=_number, cell=_small
    ),
    "AttemptEnded": st.builds(
        events.AttemptEnded,
        run=_run,
        at=_number,
        stage=_stage,
        attempt=_small,
        seconds=_number,
        cause=st.none() | st.sampled_from(events.Cause),
        message=_text,
        cell=st.none() | _small,
        cells=_small,
        traceback=_text,
        cpu=_number,
        memory=_small,
        dump=_text,
        kernel=st.none() | _data,
        scraps=_data,
        inputs=st.dictionaries(_text, st.lists(_artifact, max_size=2), max_size=2),
        outputs=_artifacts,
        audits=_audits,
        written=_artifacts,
        fingerprint=_text,
        head=_text,
        remark=_text,
        sources=_text,
        parts=_data,
        observed=st.none()
        | st.builds(
            Observed, reads=st.lists(_text, max_size=2).map(tuple), writes=st.just(()), left_out=_small
        ),
        bookmark=st.none() | _moved,
    ),
    "BookmarkMoved": st.builds(
        events.BookmarkMoved,
        run=_run,
        at=_number,
        stage=_stage,
        places=st.lists(_text, max_size=2),
        bookmark=_moved,
        again=st.lists(_text, max_size=2),
        because=_text,
        by=_text,
    ),
    "VersionPublished": st.builds(
        events.VersionPublished,
        run=_run,
        at=_number,
        environment=_text,
        version=st.integers(0, 9),
        kind=st.sampled_from(["run", "deployment", "promotion", "rollback"]),
        by=_text,
        because=_text,
        approved_by=_text,
        release=_text,
        shows=st.integers(0, 9),
        stages=st.dictionaries(_stage, st.tuples(_run, st.integers(1, 9)).map(list), max_size=2),
        alias=_text,
    ),
    "StageExpanded": st.builds(
        events.StageExpanded,
        run=_run,
        at=_number,
        stage=_stage,
        gone=st.lists(_stage, max_size=2, unique=True),
        stages=st.lists(_instance, max_size=2),
        changed=st.lists(_instance, max_size=2),
    ),
    "StageReused": st.builds(
        events.StageReused,
        run=_run,
        at=_number,
        stage=_stage,
        of_run=_text,
        of_attempt=_small,
        folder=_text,
        number=_small,
        restored=st.lists(_text, max_size=2),
        scraps=_data,
        outputs=_artifacts,
        audits=_audits,
    ),
    "StageAccepted": st.builds(
        events.StageAccepted,
        run=_run,
        at=_number,
        stage=_stage,
        because=_text,
        by=_text,
        attempt=_small,
        folder=_text,
        fingerprint=_text,
        head=_text,
        sources=_text,
        parts=_data,
        scraps=_data,
        outputs=_artifacts,
        audits=_audits,
        written=_artifacts,
    ),
    "StageRetrying": st.builds(
        events.StageRetrying, run=_run, at=_number, stage=_stage, attempt=_small, delay=_number
    ),
    "StageEnded": st.builds(
        events.StageEnded, run=_run, at=_number, stage=_stage, status=st.sampled_from(Status), reason=_text
    ),
    "StageMeasured": st.builds(
        events.StageMeasured,
        run=_run,
        at=_number,
        stage=_text,
        attempt=_small,
        seconds=st.none() | _number,
        sizes=st.dictionaries(_text, _small, max_size=2),
        figures=st.dictionaries(_text, _figures, max_size=2),
    ),
    "FiguresCompared": st.builds(
        events.FiguresCompared,
        run=_run,
        at=_number,
        stages=st.lists(_stage, max_size=2),
        unusual=st.dictionaries(_text, _text, max_size=2),
    ),
    "ScheduleChecked": st.builds(
        events.ScheduleChecked,
        run=st.just(""),
        at=_number,
        pipeline=_text,
        schedule=_text,
        missed=st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["missing", "late", "long", "overdue", "rows"]),
                    "message": _text,
                    "since": _number,
                    "run": _run,
                    "due": _number,
                }
            ),
            max_size=2,
        ),
        paused=st.booleans(),
        gone=st.booleans(),
        by=_text,
        because=_text,
    ),
    "NoteAdded": st.builds(
        events.NoteAdded,
        run=_run,
        at=_number,
        stage=st.just("") | _stage,
        text=_text,
        by=_text,
        acknowledges=st.booleans(),
    ),
    "IncidentMarked": st.builds(
        events.IncidentMarked,
        run=_run,
        at=_number,
        incident=_text,
        action=st.sampled_from(["ack", "note", "close"]),
        text=_text,
        by=_text,
    ),
    "RunCancelling": st.builds(events.RunCancelling, run=_run, at=_number, reason=_text),
    "RunEnded": st.builds(
        events.RunEnded, run=_run, at=_number, status=st.sampled_from(Status), reason=_text
    ),
}
any_event = st.one_of(*EVENTS.values())
