"""What git says of commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from measured import Repository
from stagebook.system.git import commit_times, git


def test_when_commits_were_made(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    first, second = repository.commit(1_000_000_000), repository.commit(900_000_000)
    asked = [second, "ab" * 20, first, "HEAD", "--all", "", "ABCDEF" * 7]
    assert commit_times(tmp_path, asked) == {first: 1e9, second: 9e8}
    assert commit_times(tmp_path, []) == {}


def test_it_asks_for_many_in_several_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path)
    made = [repository.commit(1_000_000_000 + number) for number in range(3)]
    monkeypatch.setattr("stagebook.system.git._AT_ONCE", 2)
    assert commit_times(tmp_path, made) == {name: 1e9 + number for number, name in enumerate(made)}


def test_settings_of_the_user_that_say_more_change_nothing(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    made = repository.commit(1_000_000_000)
    git(tmp_path, "config", "log.showSignature", "true")
    git(tmp_path, "config", "log.decorate", "full")
    git(tmp_path, "config", "color.ui", "always")
    assert commit_times(tmp_path, [made]) == {made: 1e9}


def test_without_a_repository_nothing_is_known(tmp_path: Path) -> None:
    assert commit_times(tmp_path, ["ab" * 20]) == {}
    assert git(tmp_path, "rev-parse", "HEAD") is None
