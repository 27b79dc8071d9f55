"""The places of shared stores: the same promises in a folder, in one behind a URL, and in an object store."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import object_store, silent_server
from stagebook.sharing.distant_place import DistantPlace
from stagebook.sharing.folder_place import INCOMING, FolderPlace
from stagebook.sharing.place import Place, PlaceFailed


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with object_store("store") as env:
        yield env


@pytest.fixture(params=["folder", "url", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    folder = tmp_path / "remote"
    folder.mkdir()
    if request.param == "folder":
        yield FolderPlace(folder)
        return
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    url = f"file://{folder}" if request.param == "url" else f"s3://store/{tmp_path.name}"
    made = DistantPlace(tmp_path, {"url": url}, patience=30.0)
    yield made
    made.close()


def test_what_is_written_is_found_listed_and_read(place: Place, tmp_path: Path) -> None:
    assert place.find("results/ab/x.json") is None
    assert place.read("results/ab/x.json") is None
    assert list(place.list("results/ab")) == []
    assert place.download("results/ab/x.json", tmp_path / "none", 1) is False
    source = tmp_path / "source"
    source.write_bytes(b"all of it")
    before = time.time()
    place.write("results/ab/x.json", b"a text")
    place.upload(source, "results/ab/deep/y.json")
    found = place.find("results/ab/x.json")
    assert found is not None
    assert (found.path, found.name, found.size) == ("results/ab/x.json", "x.json", 6)
    assert found.changed is not None
    assert abs(found.changed - before) < 10
    assert place.read("results/ab/x.json") == b"a text"
    assert [entry.path for entry in place.list("results/ab")] == ["results/ab/x.json"]
    assert [entry.path for entry in place.list("results", deep=True)] == [
        "results/ab/deep/y.json",
        "results/ab/x.json",
    ]
    assert place.download("results/ab/deep/y.json", tmp_path / "target", 9)
    assert (tmp_path / "target").read_bytes() == b"all of it"
    place.write("results/ab/x.json", b"another text")  # as if two had written it
    assert place.read("results/ab/x.json") == b"another text"


def test_what_is_removed_is_gone_unless_it_is_newer(place: Place, tmp_path: Path) -> None:
    place.write("blobs/ab/x", b"x")
    assert not place.remove("blobs/ab/x", unless_newer=time.time() - 60)
    assert place.read("blobs/ab/x") == b"x"
    source = tmp_path / "x"
    source.write_bytes(b"x")
    place.renew("blobs/ab/x", source)
    assert not place.remove("blobs/ab/x", unless_newer=time.time() - 60)
    assert place.remove("blobs/ab/x", unless_newer=time.time() + 60)
    assert place.remove("blobs/ab/x")
    assert place.find("blobs/ab/x") is None


def test_a_folder_is_not_made_where_a_disk_is_not_mounted(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "disk")
    for call in (
        lambda: place.find("blobs/ab/x"),
        lambda: place.read("blobs/ab/x"),
        lambda: place.list("blobs"),
        lambda: place.write("blobs/ab/x", b""),
        lambda: place.download("blobs/ab/x", tmp_path / "y", 1),
    ):
        with pytest.raises(PlaceFailed, match="there is no such folder") as caught:
            call()
        assert "mkdir -p" in caught.value.hint
    assert not (tmp_path / "disk").exists()


def test_a_file_that_is_renewed_counts_as_changed_now(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path)
    place.write("blobs/ab/x", b"x")
    os.utime(tmp_path / "blobs/ab/x", (1, 1))
    place.renew("blobs/ab/x", tmp_path / "none")
    found = place.find("blobs/ab/x")
    assert found is not None
    assert found.changed is not None
    assert time.time() - found.changed < 60


def test_others_may_read_and_write_where_the_folder_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    folder.mkdir()
    folder.chmod(0o2775)
    FolderPlace(folder).write("blobs/ab/x", b"x")
    assert (folder / "blobs/ab").stat().st_mode & 0o7777 == 0o2775
    assert (folder / "blobs/ab/x").stat().st_mode & 0o777 == 0o444
    folder.chmod(0o700)
    FolderPlace(folder).write("blobs/cd/x", b"x")
    assert (folder / "blobs/cd").stat().st_mode & 0o777 == 0o700
    assert (folder / "blobs/cd/x").stat().st_mode & 0o777 == 0o400


def test_a_folder_that_is_full_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = FolderPlace(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(PlaceFailed, match="No space left") as caught:
        place.upload(tmp_path / "x", "blobs/ab/x")
    assert caught.value.hint == "make room there: stagebook store gc --remote"
    assert place.find("blobs/ab/x") is None
    assert list(place.list(INCOMING)) == []


def test_readers_see_a_file_whole_while_many_write_it(tmp_path: Path) -> None:
    place, text = FolderPlace(tmp_path), b"0123456789" * 20_000
    over, seen = threading.Event(), set()

    def read() -> None:
        while not over.is_set():
            seen.add(place.read("blobs/ab/x"))

    reader = threading.Thread(target=read)
    writers = [
        threading.Thread(target=lambda: [place.write("blobs/ab/x", text) for _ in range(20)])
        for _ in range(3)
    ]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert seen <= {None, text}
    assert list(place.list(INCOMING)) == []


def test_a_server_that_never_answers_is_left_within_the_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "-")
        place = DistantPlace(tmp_path, {"url": "s3://store/x"}, patience=0.5)
        with pytest.raises(PlaceFailed, match=r"did not answer within 0\.5 s") as caught:
            place.find("blobs/ab/x")
        assert caught.value.slow
        place.close()


@pytest.mark.parametrize(
    ("opened", "why"),
    [
        ({"url": "nothing://store/x"}, "Protocol not known: nothing"),
        ({"url": "file:///nowhere/at/all"}, "there is no such folder"),
        ({"connection": "lake", "path": "x"}, "KeyError"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path: Path, opened: dict[str, str], why: str) -> None:
    place = DistantPlace(tmp_path, opened, patience=30.0)
    with pytest.raises(PlaceFailed, match=why):
        place.find("blobs/ab/x")
    place.close()


def test_a_process_that_was_killed_is_started_again(tmp_path: Path) -> None:
    place = DistantPlace(tmp_path, {"url": f"file://{tmp_path}"}, patience=30.0)
    place.write("heads/ab/x", b"x")
    place.close()
    assert place.read("heads/ab/x") == b"x"
    process = place._asker._process
    assert process is not None
    process.kill()
    process.wait()
    assert place.read("heads/ab/x") == b"x"
    place.close()


def test_a_connection_of_the_project_is_opened_with_its_secrets(
    tmp_path: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "connections.toml").write_text(
        '[lake]\nurl = "s3://store/lake"\n[lake.options]\nkey = "me"\nsecret = "${secret.LAKE}"\n'
        f'client_kwargs = {{endpoint_url = "{s3["AWS_ENDPOINT_URL"]}", region_name = "us-east-1"}}\n'
    )
    place = DistantPlace(tmp_path, {"connection": "lake", "path": "team"}, patience=30.0)
    with pytest.raises(PlaceFailed, match="STAGEBOOK_SECRET_LAKE is not set"):
        place.find("heads/ab/x")
    monkeypatch.setenv("STAGEBOOK_SECRET_LAKE", "word-of-the-lake")
    place.write("heads/ab/x", b"x")
    assert place.read("heads/ab/x") == b"x"
    place.close()
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    other = DistantPlace(tmp_path, {"url": "s3://store/lake/team"}, patience=30.0)
    assert other.read("heads/ab/x") == b"x"
    other.close()


def test_a_bucket_that_is_not_there_is_told_when_something_is_put_there(
    tmp_path: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    place = DistantPlace(tmp_path, {"url": "s3://another/x"}, patience=30.0)
    with pytest.raises(PlaceFailed):
        place.write("heads/ab/x", b"x")
    place.close()
