from __future__ import annotations

from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.testing import replay
from stagebook.testing.alone import find_stage


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ([], True),
        (["clean"], True),
        (["clean@a"], True),
        (["p.clean"], True),
        (["p.clean@a"], True),
        (["cl*"], True),
        (["q.clean"], False),
        (["clean@b", "load"], False),
    ],
)
def test_stages_are_named_as_everywhere(texts: list[str], named: bool) -> None:
    assert replay.is_named(texts, "p", "clean@a") is named


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"a\nb\n", b"a\nc\n", "line 2: c, before b"),
        (b"a\n", b"a\nb\n", "2 lines, before 1"),
        (b"\xff\xfe1", b"\xff\xfe12", "4 bytes, before 3; they differ"),
    ],
)
def test_how_two_files_differ(tmp_path: Path, old: bytes, new: bytes, line: str) -> None:
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    assert list(replay._texts(tmp_path / "old", tmp_path / "new")) == [line]


def test_folders_differ(tmp_path: Path) -> None:
    assert list(replay._texts(tmp_path, tmp_path)) == ["the files in the folder are other ones"]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("{path: 's3://b/t', kind: external}", "it writes outside of the project"),
        ("{path: data/t, kind: delta, mode: append}", "out has rows of earlier runs"),
    ],
)
def test_what_is_no_function_of_the_inputs_is_not_replayed(
    builder: ProjectBuilder, output: str, why: str
) -> None:
    builder.notebook("n", "print(1)", params="out = ''")
    builder.pipeline(f"stages: {{s: {{notebook: notebooks/n.ipynb, outputs: {{out: {output}}}}}}}")
    _, stage = find_stage(builder.project.catalog, "s")
    with pytest.raises(replay.NotReplayed, match=why):
        replay._refuse(stage)


def test_the_stages_of_a_pipeline_in_the_order_of_its_file(builder: ProjectBuilder) -> None:
    builder.notebook("n", "print(1)")
    builder.pipeline("stages: {b: {notebook: notebooks/n.ipynb}, a: {notebook: notebooks/n.ipynb}}")
    assert replay.names_of(builder.project, "p") == ["b", "a"]
    assert replay.recorded(builder.root, "p") == {}
    assert not (builder.root / ".stagebook").exists()
