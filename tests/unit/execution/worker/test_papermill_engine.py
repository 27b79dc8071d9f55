"""What is put into a notebook is what `%stage` puts into a kernel."""

from __future__ import annotations

from hypothesis import given, settings

from stagebook.execution.worker.papermill_engine import PythonTranslator, literal
from stagebook.pipeline.types import Type, Value, ValueMismatch, accept, typed
from strategies import typed_values, types


@settings(max_examples=300, deadline=None)
@given(kind=types, value=typed_values)
def test_the_code_of_a_value_makes_the_value_that_stage_gives(kind: Type, value: Value) -> None:
    try:
        accepted = accept(kind, value)
    except ValueMismatch:
        return
    code = PythonTranslator.translate(typed(kind, accepted, literal))
    made = eval(code)  # what papermill puts into the cell
    wanted = typed(kind, accepted)
    assert made == wanted
    assert repr(made) == repr(wanted)
