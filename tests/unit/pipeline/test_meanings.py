"""Each key of a pipeline file has a meaning, which editors show."""

from __future__ import annotations

from typing import Any

from stagebook.pipeline.meanings import MEANINGS
from stagebook.pipeline.schema import json_schema


def test_every_key_has_a_meaning_and_no_other_has() -> None:
    schema: dict[str, Any] = json_schema()
    parts = {**schema["$defs"], "PipelineFile": schema}
    assert {name: set(part["properties"]) for name, part in parts.items()} == {
        name: set(keys) for name, keys in MEANINGS.items()
    }
    for name, part in parts.items():
        for key, found in part["properties"].items():
            assert found["description"] == MEANINGS[name][key]
            assert found["description"].endswith((".", "…}."))
