"""Releases as values and as files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.errors import UsageError
from stagebook.releases.release import Release, ReleasedFile, Releases, compare

_FILES = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.builds(
        ReleasedFile,
        sha256=st.sampled_from(["a" * 64, "b" * 64, "c" * 64]),
        size=st.integers(0, 9),
        why=st.just("module"),
        executable=st.booleans(),
    ),
    max_size=4,
)
_RELEASES = st.builds(
    Release,
    files=_FILES,
    versions=st.dictionaries(st.sampled_from(["python", "pandas"]), st.sampled_from(["1", "2"])),
    pipelines=st.just(("p",)),
    commit=st.sampled_from(["", "abc"]),
    changed=st.just(()),
    at=st.floats(0, 1e9),
    by=st.text(max_size=5),
)


def made(**fields: object) -> Release:
    files = {"a.py": ReleasedFile(sha256="a" * 64, size=1, why="module")}
    return dataclasses.replace(
        Release(files=files, versions={"python": "3.11"}, pipelines=("p",), at=1.0), **fields
    )


@given(_RELEASES)
def test_a_release_survives_its_file(release: Release) -> None:
    again = Release.from_json(json.loads(json.dumps(release.to_json())))
    assert again == release
    assert again.id == release.id


@given(_RELEASES, _RELEASES)
def test_the_same_id_is_the_same_code_whoever_released_it(one: Release, other: Release) -> None:
    changes = compare(one, other)
    differs = bool(changes.added or changes.removed or changes.changed or changes.versions)
    assert differs == (one.id != other.id)
    assert dataclasses.replace(one, at=2.0, by="eve", commit="def").id == one.id


def test_a_release_whose_file_was_tampered_with_is_refused(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    one = releases.keep(made())
    path = tmp_path / "releases" / f"{one.id}.json"
    path.write_text(path.read_text().replace("a" * 64, "b" * 64))
    with pytest.raises(UsageError, match="is damaged: its files are not those") as caught:
        releases.find(one.short)
    assert "stagebook release" in caught.value.hint
    assert list(releases.all()) == []


def test_a_release_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    with pytest.raises(UsageError, match="nothing was released yet"):
        releases.find()
    one, two = releases.keep(made()), releases.keep(made(versions={"python": "3.12"}, at=2.0))
    assert releases.find(one.id[:8]) == one
    assert releases.find() == releases.find("latest") == two
    with pytest.raises(UsageError, match="there is no release 'x'"):
        releases.find("x")
    with pytest.raises(UsageError, match="fits 2 releases"):
        releases.find("")


def test_a_release_that_is_committed_later_is_noted_so(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    releases.keep(made(commit="abc", changed=("a.py",)))
    clean = releases.keep(made(commit="def", at=2.0))
    assert releases.find() == clean
    # From then on it is as it was released first.
    assert releases.keep(made(commit="ghi", at=3.0)) == clean
