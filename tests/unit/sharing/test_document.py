"""Results as shared stores keep them: what may be shared, and what is taken for damaged."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from shared import parts, renamed, result, sha
from stagebook.artifact import Artifact
from stagebook.pipeline.model import DeltaOptions
from stagebook.planning.fingerprint import Fingerprint
from stagebook.sharing.document import SHARED, Document, document_of, why_private

HASH = "ab" * 32


def document(**more: Any) -> Document:
    return Document(result=result(b"one", **more), blobs={sha(b"one"): 3})


def test_a_result_comes_back_as_it_was_without_its_number_and_with_its_source() -> None:
    made = document(scraps={"rows": {"kind": "json", "value": 3}})
    back = document_of(made.text, made.path)
    assert back.result == renamed(made.result, number=0, source=SHARED)
    assert (back.blobs, back.notebook) == (made.blobs, "")
    assert back.path == made.path  # so that what is taken and pushed again is the same file


def test_the_same_attempt_has_the_same_file_from_whichever_journal() -> None:
    one = document()
    other = dataclasses.replace(one, result=renamed(one.result, number=99, source="ci"))
    assert (one.text, one.path) == (other.text, other.path)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"outputs": {}}, "it has an effect alone, which nobody can restore"),
        (
            {"outputs": {"t": Artifact(path="s3://x/y", external=True, kept=True, sha256=HASH)}},
            "it wrote outside of its project",
        ),
        ({"outputs": {"out": Artifact(path="x", sha256=HASH)}}, "its outputs are not in the store"),
        ({"fingerprint": HASH}, "its fingerprint is not that of its parts"),
        ({"fingerprint": ""}, "its fingerprint is not that of its parts"),
        (
            {"parts": {"outputs": {"out": ["delta", "t", "append", "", ""]}}},
            "rows of earlier runs stay in its table",
        ),
        (
            {"parts": {"outputs": {"out": ["delta", "t", "merge", "", "id"]}}},
            "rows of earlier runs stay in its table",
        ),
        (
            {"parts": {"outputs": {"out": ["delta", "t", "overwrite", "day", ""]}}},
            "rows of earlier runs stay in its table",
        ),
        ({"parts": {"env": {"MODE": HASH}}}, "it depends on the value of an environment variable"),
        ({"undeclared": {"env": {"MODE": HASH}}}, "it depends on the value of an environment variable"),
        ({"parts": {"params": {"api_token": "abcdefgh"}}}, "a parameter of it looks like a secret"),
        (
            {"parts": {"params": {"at": "postgresql://me:hidden-word@db/x"}}},
            "a parameter of it looks like a secret",
        ),
        ({"folder": "../../elsewhere"}, "its folder is none of a run"),
        ({"folder": ".stagebook/runs/../../1"}, "its folder is none of a run"),
        ({"folder": ".stagebook/runs/r/a/1/../.."}, "its folder is none of a run"),
    ],
)
def test_what_is_not_shared(more: dict[str, Any], why: str) -> None:
    assert why_private(result(b"one", **more)) == why


@pytest.mark.parametrize(
    "more",
    [
        {"parts": {"outputs": {"out": ["delta", "t", "overwrite", "", ""]}}},
        {"parts": {"env": {"MODE": None, "LOGIN": "${secret.LOGIN}", "TOKEN": "secret"}}},
        {"parts": {"params": {"token_file": "/run/token", "n": 3, "days": ["1"]}}},
        {"because": "only the plot changed"},
        {"folder": ""},
    ],
)
def test_what_is_shared(more: dict[str, Any]) -> None:
    assert why_private(result(b"one", **more)) == ""


def test_the_rule_for_tables_is_that_of_the_pipeline() -> None:
    for mode in ("overwrite", "append", "merge"):
        for partitions in ((), ("day",)):
            options = DeltaOptions(mode=mode, partition_by=partitions, key=())
            part = ["delta", "t", mode, ", ".join(partitions), ""]
            private = why_private(result(b"one", parts={"outputs": {"out": part}}))
            assert bool(private) == options.accumulates


def test_a_text_that_was_changed_is_no_result() -> None:
    made = document()
    for text in (made.text[:-1], made.text.replace(b'"p"', b'"q"'), b"", b"\xff\x00", made.text + b" "):
        with pytest.raises(ValueError, match="not the one that it was written with"):
            document_of(text, made.path)


def at_its_hash(data: object, fingerprint: str) -> tuple[bytes, str]:
    text = json.dumps(data).encode()
    return text, f"results/{fingerprint[:2]}/{fingerprint}/{sha(text)}.json"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: [data],
        lambda data: None,
        lambda data: {**data, "version": 2},
        lambda data: {**data, "blobs": {}},
        lambda data: {**data, "blobs": {"../x": 1, **data["blobs"]}},
        lambda data: {**data, "blobs": 3},
        lambda data: {**data, "notebook": "cd" * 32},
        lambda data: {**data, "result": {}},
        lambda data: {**data, "result": {**data["result"], "parts": []}},
        lambda data: {**data, "result": {**data["result"], "parts": {"params": {"n": 2}}}},
        lambda data: {**data, "result": {**data["result"], "unknown": 1}},
        lambda data: {**data, "result": {**data["result"], "undeclared": {"env": 1}}},
        lambda data: {**data, "result": {**data["result"], "folder": "/etc"}},
        lambda data: {**data, "result": {**data["result"], "folder": 1}},
    ],
)
def test_what_has_the_right_hash_and_is_no_result_is_refused(change: Any) -> None:
    made = document()
    text, path = at_its_hash(change(json.loads(made.text)), made.result.fingerprint)
    with pytest.raises(ValueError, match=r".+"):
        document_of(text, path)


def test_a_result_is_not_taken_for_one_of_another_fingerprint() -> None:
    made = document()
    other = Fingerprint(parts=parts(params={"n": 2})).digest
    text, path = at_its_hash(json.loads(made.text), other)
    with pytest.raises(ValueError, match="of another fingerprint"):
        document_of(text, path)
