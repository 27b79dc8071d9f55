"""What a project gives to a shared store: what is new, once, in order; and nothing of it is raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from journals import HERE, alive, started
from shared import kept, parts, result, sha
from stagebook.events import AttemptEnded
from stagebook.journal.journal import Journal
from stagebook.planning.result import Result
from stagebook.runs.push import Sharing
from stagebook.sharing.folder_place import FolderPlace
from stagebook.sharing.shared_store import SharedStore
from stagebook.system.store import Store

NOTES = ".stagebook/shared.json"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / ".stagebook/journal.db")
    made.begin(started(), HERE, alive)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / ".stagebook/store")
    kept(made, tmp_path / "files", b"one", b"two")
    return made


def place_at(folder: Path) -> FolderPlace:
    folder.mkdir(exist_ok=True)
    return FolderPlace(folder)


@pytest.fixture
def sharing(tmp_path: Path, journal: Journal, store: Store) -> Sharing:
    shared = SharedStore(place_at(tmp_path / "remote"), "there")
    return Sharing(root=tmp_path, shared=shared, journal=lambda: journal, store=store)


def ended(n: int, content: bytes = b"one", stage: str = "a", **more: object) -> AttemptEnded:
    one: Result = result(content, parts={"params": {"n": n}}, folder="", stage=stage, run="r")
    known = {
        name: getattr(one, name) for name in ("fingerprint", "head", "parts", "outputs", "stage", "attempt")
    }
    return AttemptEnded(run="r", at=10.0 + n, seconds=1.0, **{**known, **more})


def there(sharing: Sharing, n: int) -> bool:
    fingerprint = result(b"one", parts={"params": {"n": n}}).fingerprint
    return bool(list(SharedStore(sharing.shared.place, "there").find(fingerprint)))


def test_the_first_time_those_that_stages_came_to_last(sharing: Sharing, journal: Journal) -> None:
    journal.append([ended(1), ended(2), ended(3, stage="b")], owner="r")
    assert sharing.count_waiting() == 2
    done = sharing.push()
    assert (done.pushed, done.left, done.private, done.cautions) == (2, 0, 0, ())
    assert [there(sharing, n) for n in (1, 2, 3)] == [False, True, True]
    assert sharing.push().pushed == 0
    done = sharing.push(all_of_them=True)
    assert (done.pushed, done.left) == (3, 0)
    assert there(sharing, 1)


def test_then_what_came_since(sharing: Sharing, journal: Journal) -> None:
    journal.append([ended(1)], owner="r")
    assert sharing.push().pushed == 1
    journal.append([ended(2), ended(3)], owner="r")
    assert sharing.push().pushed == 2
    assert [there(sharing, n) for n in (2, 3)] == [True, True]


def test_each_shared_store_has_its_own_count(sharing: Sharing, journal: Journal, tmp_path: Path) -> None:
    journal.append([ended(1)], owner="r")
    assert sharing.push().pushed == 1
    shared = SharedStore(place_at(tmp_path / "other"), "elsewhere")
    other = Sharing(root=tmp_path, shared=shared, journal=lambda: journal, store=sharing.store)
    assert other.push().pushed == 1
    assert set(json.loads((tmp_path / NOTES).read_text())) == {"there", "elsewhere"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"there": "x"}', '{"there": 99999}', "\0", "null"])
def test_a_note_that_is_damaged_or_of_another_journal_is_none(
    sharing: Sharing, journal: Journal, tmp_path: Path, text: str
) -> None:
    journal.append([ended(1)], owner="r")
    (tmp_path / NOTES).write_text(text)
    assert sharing.push().pushed == 1
    assert sharing.push().pushed == 0


def test_what_is_not_shared_is_counted_and_not_looked_at_again(sharing: Sharing, journal: Journal) -> None:
    lost = ended(3, b"lost", stage="c")
    marked = ended(4, stage="d", bookmark={"marks": {"x": 1}, "anew": False})
    effect = ended(5, stage="e", outputs={})
    journal.append([ended(1), lost, marked, effect], owner="r")
    done = sharing.push()
    assert (done.pushed, done.private, done.left) == (1, 3, 0)
    assert [there(sharing, n) for n in (1, 3, 4, 5)] == [True, False, False, False]
    assert sharing.count_waiting() == 0


def test_the_executed_notebook_goes_along(sharing: Sharing, journal: Journal, tmp_path: Path) -> None:
    folder = ".stagebook/runs/r/a/1"
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "notebook.ipynb").write_bytes(b"{}")
    journal.append([ended(1, folder=folder)], owner="r")
    assert sharing.push().pushed == 1
    fingerprint = result(b"one", parts={"params": {"n": 1}}).fingerprint
    shared = SharedStore(sharing.shared.place, "there")
    (found,) = shared.find(fingerprint)
    document = shared.document_for(found)
    assert document is not None
    assert document.notebook == sha(b"{}")
    assert sharing.shared.place.read(f"blobs/{sha(b'{}')[:2]}/{sha(b'{}')}") == b"{}"


def test_a_place_that_takes_no_more_leaves_the_rest_for_later(
    sharing: Sharing, journal: Journal, tmp_path: Path
) -> None:
    journal.append([ended(1, stage="a"), ended(2, stage="b"), ended(3, stage="c")], owner="r")

    class Small(FolderPlace):
        def write(self, path: str, data: bytes) -> None:
            if len(self.list("results", deep=True)) >= 1 and path.startswith("results"):
                raise OSError(28, "No space left on device")
            super().write(path, data)

    shared = SharedStore(Small(tmp_path / "remote"), "there")
    small = Sharing(root=tmp_path, shared=shared, journal=lambda: journal, store=sharing.store)
    done = small.push()
    assert (done.pushed, done.left) == (1, 2)
    assert "No space left" in done.cautions[0].message
    assert sharing.push().pushed == 2
    assert [there(sharing, n) for n in (1, 2, 3)] == [True, True, True]


def test_what_is_damaged_here_is_not_given_away(sharing: Sharing, journal: Journal) -> None:
    journal.append([ended(1, b"one", stage="a"), ended(2, b"two", stage="b")], owner="r")
    path = sharing.store.blobs.path(sha(b"one"))
    path.chmod(0o600)
    path.write_bytes(b"xxx")
    done = sharing.push()
    assert (done.pushed, done.private, done.left, done.cautions) == (1, 1, 0, ())
    assert sharing.shared.place.find(f"blobs/{sha(b'one')[:2]}/{sha(b'one')}") is None


def test_ctrl_c_ends_the_push_and_nothing_else(sharing: Sharing, journal: Journal, tmp_path: Path) -> None:
    journal.append([ended(1)], owner="r")

    class Pressed(FolderPlace):
        def upload(self, source: Path, path: str) -> None:
            raise KeyboardInterrupt

    shared = SharedStore(Pressed(tmp_path / "remote"), "there")
    done = Sharing(root=tmp_path, shared=shared, journal=lambda: journal, store=sharing.store).push()
    assert (done.pushed, done.left) == (0, 1)
    assert done.cautions[0].message == "interrupted while results were put into the shared store"
    assert sharing.push().pushed == 1


def test_where_results_are_only_taken_none_is_pushed(
    sharing: Sharing, journal: Journal, tmp_path: Path
) -> None:
    journal.append([ended(1)], owner="r")
    shared = SharedStore(sharing.shared.place, "there", writes=False)
    done = Sharing(root=tmp_path, shared=shared, journal=lambda: journal, store=sharing.store).push()
    assert (done.pushed, done.left, done.cautions) == (0, 0, ())
    assert not (tmp_path / NOTES).exists()


def test_parts_of_tests_are_those_of_a_fingerprint() -> None:
    assert set(parts()) >= {"code", "params", "inputs", "env", "outputs", "kernel"}
