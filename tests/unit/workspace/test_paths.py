"""The resolver of paths: what comes out is inside, whatever goes in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stagebook.workspace.paths import PathRefused, inside, inside_for_input, inside_for_output, linked_folders


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in (
            "outside/deep",
            "project/data/deep",
            "project/.git",
            "project/.stagebook",
            "project-twin",
        ):
            (place / name).mkdir(parents=True)
        made = place / "project"
        (made / "file").write_text("x")
        for name, target in {
            "out": place / "outside", "up": "..", "twin": "../project-twin", "link": "data", "loop": "loop",
            "data/back": "..", "data/out": "../../outside/deep", "git": ".git", "state": ".stagebook",
            "broken": "nowhere", "away": "../nowhere", "abs": "/", "self": ".",
        }.items():  # fmt: skip
            (made / name).symlink_to(target)
        yield made


_segments = st.sampled_from(
    ["..", ".", "", "a", "data", "deep", "out", "up", "twin", "link", "loop", "back", "git", "state", ".git", ".GIT",
     ".stagebook", "file", "broken", "away", "abs", "self", "~", "C:", "\\", "%2e%2e", "..%2f", " ", "é", "\0", "\n", "$HOME", "x" * 300]
)  # fmt: skip


@settings(max_examples=800, deadline=None)
@example(parts=["self", "~"], absolute=False)
@given(parts=st.lists(_segments | st.text(max_size=4), max_size=7), absolute=st.booleans())
def test_what_comes_out_is_inside_whatever_goes_in(root: Path, parts: list[str], absolute: bool) -> None:
    text = "/" * absolute + "/".join(parts)
    try:
        made = inside(root, text)
    except PathRefused:
        return
    real = os.path.realpath(root / made)
    assert os.path.commonpath([real, os.path.realpath(root)]) == os.path.realpath(root)
    assert not os.path.isabs(made)
    assert ".." not in made.split("/")
    assert inside(root, made) == made, "normalising again changes nothing"
    # The same place as the text names, but for `..` after a link, which is read as it is written.
    if ".." not in parts:
        assert real == os.path.realpath(root / text)
    assert inside_for_input(root, text) == made, "what is inside has one path"
    try:
        target = inside_for_output(root, text)
    except PathRefused:
        return
    assert target == made
    folder = os.path.relpath(os.path.realpath((root / target).parent), os.path.realpath(root))
    assert ".git" not in folder.casefold().split("/")
    assert folder.casefold().split("/")[0] != ".stagebook"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("data/x", "data/x"),
        ("./data//x/", "data/x"),
        ("a/../data/x", "data/x"),
        ("link/x", "data/x"),
        ("data/back/data/x", "data/x"),
        ("self/self/x", "x"),
        ("new/folder/x.parquet", "new/folder/x.parquet"),
        ("link", "link"),
        ("Übersicht.csv", "Übersicht.csv"),
        ("..data/x", "..data/x"),
    ],
)
def test_one_place_has_one_path(root: Path, text: str, wanted: str) -> None:
    assert inside(root, text) == wanted


@pytest.mark.parametrize(
    "text",
    ["..", "../x", "a/../../x", "/etc/passwd", "//x", "~/x", "~root", "\\x", "C:\\x", "c:x", "", " ", "\t", "a\0b", "a\nb",
     "a\x1b[31m", "\u202ea", "\ud800", "out/x", "up/x", "twin/x", "data/out", "away", "abs/etc", "file://x", "https://x/y",
     "x" * 256, "x/" * 2_000],
)  # fmt: skip
def test_what_leads_out_or_is_no_path_is_refused(root: Path, text: str) -> None:
    with pytest.raises(PathRefused):
        inside(root, text)


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "data/..",
        ".git/x",
        ".git",
        ".GIT/x",
        "sub/.git/hooks/x",
        ".stagebook/x",
        ".Stagebook/x",
        "git/x",
        "state/runs/x",
        "self",
    ],
)
def test_a_run_does_not_write_to_the_state_of_the_project(root: Path, text: str) -> None:
    if text == "self":  # the link itself would be replaced, not the project
        assert inside_for_output(root, text) == "self"
        return
    with pytest.raises(PathRefused):
        inside_for_output(root, text)


@settings(max_examples=400, deadline=None)
@given(parts=st.lists(_segments, max_size=6))
def test_data_elsewhere_keeps_the_path_through_its_link(root: Path, parts: list[str]) -> None:
    text = "/".join(parts)
    try:
        made = inside_for_input(root, text)
    except PathRefused:
        return
    assert not os.path.isabs(made)
    assert ".." not in made.split("/")
    assert inside_for_input(root, made) == made
    real, top = os.path.realpath(root / made), os.path.realpath(root)
    allowed = (top, os.path.realpath(root.parent / "outside"), os.path.realpath(root.parent / "project-twin"))
    assert any(os.path.commonpath([real, place]) == place for place in allowed)
    if ".." not in parts:
        assert real == os.path.realpath(root / text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("out/x", "out/x"), ("out/deep/x", "out/deep/x"), ("data/out/x", "data/out/x"), ("link/out/x", "data/out/x"), ("twin/x", "twin/x"),
     ("self/out/./x", "out/x"), ("out", "out")],
)  # fmt: skip
def test_a_link_to_a_folder_elsewhere_is_followed_for_data(root: Path, text: str, wanted: str) -> None:
    assert inside_for_input(root, text) == wanted
    if text != "out":
        assert inside_for_output(root, text) == wanted
    else:  # the link would be replaced by the output
        with pytest.raises(PathRefused, match="is a symlink to"):
            inside_for_output(root, text)
    assert linked_folders(root) == {
        os.path.realpath(root.parent / "outside"): "out",
        os.path.realpath(root.parent / "project-twin"): "twin",
    }


@pytest.mark.parametrize("text", ["up/x", "abs/etc", "away", "away/x", "loop/x"])
def test_a_link_to_what_is_no_data_is_not_followed(root: Path, text: str) -> None:
    for resolve in (inside_for_input, inside_for_output):
        if text == "loop/x":
            assert resolve(root, text) == text  # which is not there
            continue
        with pytest.raises(PathRefused):
            resolve(root, text)
