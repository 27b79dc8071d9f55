"""The store: what comes out is what went in, or nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import environment, skip_without_mounts
from effort import SEED, amount
from stagebook.artifact import Artifact
from stagebook.system import blobs as blobs_module
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import EMPTY, describe_path
from stagebook.system.store import Store
from waiting import until


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(params=["copies", "clones"])
def either(request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Also as on a file system with reflinks: there a clone is a copy that nobody hashed on the way."""
    if request.param == "clones":

        def clone(source: Path, target: Path) -> bool:
            target.write_bytes(source.read_bytes())
            return True

        monkeypatch.setattr(blobs_module, "_clone", clone)
    return store


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tree(path: Path) -> dict[bytes, tuple[bytes | None, bool]]:
    """All that is below a folder: content (None: a folder), and whether it is executable."""
    found: dict[bytes, tuple[bytes | None, bool]] = {}
    for folder, folders, files in os.walk(os.fsencode(path)):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), os.fsencode(path))] = (None, False)
        for name in files:
            full = os.path.join(folder, name)
            with open(full, "rb") as file:
                content = file.read()
            mode = bool(os.stat(full).st_mode & stat.S_IXUSR)
            found[os.path.relpath(full, os.fsencode(path))] = (content, mode)
    return found


# -- there and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", b"abc\0\xff" * 1000, b"y" * 3_000_000])
@pytest.mark.parametrize("executable", [False, True])
def test_a_file_comes_back(either: Store, tmp_path: Path, content: bytes, executable: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    if executable:
        file.chmod(0o755)
    kept = either.keep(file, "shown")
    assert kept == Artifact(
        path="shown", size=len(content), sha256=sha(content), kept=True, executable=executable
    )
    assert Artifact.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert either.holds(kept)
    file.unlink()
    either.fetch(kept, tmp_path / "new" / "back")
    back = tmp_path / "new" / "back"
    assert back.read_bytes() == content
    umask = os.umask(0o077)
    os.umask(umask)
    assert back.stat().st_mode & 0o777 == (0o777 if executable else 0o666) & ~umask


names = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8).map(
        lambda text: text.encode()
    ),
    st.binary(min_size=1, max_size=6).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")),
    st.sampled_from([b" ", b"a  b", b"-" * 64, b"\r", b"\x0c", "\u2028".encode(), "\x85".encode(), b"..."]),
).filter(lambda name: name not in {b".", b".."} and b"\n" not in name)
folders = st.recursive(
    st.dictionaries(names, st.tuples(st.binary(max_size=20), st.booleans()), max_size=3),
    lambda inner: st.dictionaries(
        names, inner | st.tuples(st.binary(max_size=20), st.booleans()), max_size=3
    ),
    max_leaves=6,
)


def make(path: bytes, content: Any) -> None:
    os.mkdir(path)
    for name, item in content.items():
        inside = os.path.join(path, name)
        if isinstance(item, dict):
            make(inside, item)
        else:
            with open(inside, "wb") as file:
                file.write(item[0])
            os.chmod(inside, 0o755 if item[1] else 0o644)


@settings(
    max_examples=amount(60, 1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=folders)
def test_a_folder_comes_back_with_all_that_was_in_it(tmp_path: Path, content: dict[bytes, Any]) -> None:
    for name in ("folder", "back", "store"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    make(os.fsencode(tmp_path / "folder"), content)
    store = Store(tmp_path / "store")
    kept = Artifact.from_json(json.loads(json.dumps(store.keep(tmp_path / "folder", "shown").to_json())))
    assert kept.kept
    assert kept.sha256 == describe_path(tmp_path / "folder", "shown").sha256
    assert store.holds(kept)
    store.fetch(kept, tmp_path / "back")
    assert tree(tmp_path / "back") == tree(tmp_path / "folder")
    assert describe_path(tmp_path / "back", "shown").sha256 == kept.sha256
    assert set(store.members(kept.sha256)) <= {digest for digest, _ in store.blobs.digests()}


def test_a_name_that_cannot_be_listed_is_not_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "two\nlines").write_text("x")
    kept = store.keep(tmp_path / "folder", "shown")
    assert not kept.kept
    assert not store.holds(kept)
    assert kept.sha256 == describe_path(tmp_path / "folder", "shown").sha256


def test_links_are_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "data").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder" / "b").symlink_to(tmp_path / "elsewhere" / "data")
    kept = store.keep(tmp_path / "folder", "shown")
    shutil.rmtree(tmp_path / "elsewhere")
    store.fetch(kept, tmp_path / "back")
    assert tree(tmp_path / "back") == {b"a": (None, False), b"a/data": (b"x", False), b"b": (b"x", False)}


# -- nobody writes into the store ---------------------------------------------------------------


def test_no_file_of_a_project_is_a_link_to_a_blob(either: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    kept = either.keep(file, "shown")
    either.fetch(kept, tmp_path / "back")
    blob = either.blobs.path(kept.sha256)
    assert stat.S_IMODE(blob.stat().st_mode) == 0o400
    assert stat.S_IMODE(blob.parent.stat().st_mode) == 0o700
    assert {path.stat().st_nlink for path in (file, blob, tmp_path / "back")} == {1}
    assert len({path.stat().st_ino for path in (file, blob, tmp_path / "back")}) == 3
    for path in (file, tmp_path / "back"):
        with path.open("r+b") as stream:
            stream.write(b"CHANGED")
    assert blob.read_bytes() == b"content"
    assert list((either.folder / "incoming").iterdir()) == []


# -- damage -------------------------------------------------------------------------------------


@pytest.mark.long
def test_no_flipped_bit_comes_out(either: Store, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "empty").mkdir()
    for name in ("a", "b", "sub/c"):
        (folder / name).write_bytes(dice.randbytes(300))
    (folder / "a").chmod(0o755)
    kept = either.keep(folder, "shown")
    whole = tree(folder)
    met = {"right": 0, "damaged": 0}
    for _ in range(amount(400, 10_000)):
        digest, size = dice.choice(list(either.blobs.digests()))
        blob = either.blobs.path(digest)
        data = bytearray(blob.read_bytes())
        data[dice.randrange(size)] ^= 1 << dice.randrange(8)
        how = dice.random()
        damaged = bytes(data) if how < 0.8 else bytes(data[: dice.randrange(size)]) if how < 0.95 else b""
        blob.chmod(0o600)
        blob.write_bytes(damaged)
        fresh = Store(either.folder)
        fresh.holds(kept)
        fresh.members(kept.sha256)
        try:
            fresh.fetch(kept, tmp_path / "back")
        except BlobDamaged:
            assert not (tmp_path / "back").exists(), "nothing is left"
            assert not blob.exists(), "it is removed"
            assert not fresh.holds(kept)
            met["damaged"] += 1
        else:
            assert tree(tmp_path / "back") == whole
            shutil.rmtree(tmp_path / "back")
            met["right"] += 1
        assert either.keep(folder, "shown") == kept  # and is there anew once somebody keeps it
        assert either.holds(kept)
    assert met["right"] == 0, "every blob is needed"


@pytest.mark.parametrize("listing", [b"no list\n", b"0" * 64 + b"  ../../x\n", b"0" * 64 + b"  /etc/x\n",
                                     b"0" * 64 + b"  \n", b"0" * 64 + b"  a//b\n", b"\xff\n"])  # fmt: skip
def test_what_is_no_list_of_a_folder_is_none(store: Store, tmp_path: Path, listing: bytes) -> None:
    digest = store.blobs.keep_bytes(listing)
    output = Artifact(path="x", sha256=digest, kept=True, folder=True)
    assert not store.holds(output)
    assert store.members(str(digest)) == []
    with pytest.raises(BlobDamaged):
        store.fetch(output, tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


@pytest.mark.parametrize("digest", ["", "x", "../../../file", "A" * 64, "../" + "0" * 61, EMPTY])
def test_what_is_no_digest_names_no_blob(store: Store, tmp_path: Path, digest: str) -> None:
    (tmp_path / "file").write_text("mine")
    output = Artifact(path="x", sha256=digest, kept=True)
    assert not store.blobs.has(digest)
    assert not store.holds(output)
    with pytest.raises(BlobDamaged):
        store.fetch(output, tmp_path / "back")
    store.blobs.remove(digest)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_damaged_blob_that_cannot_be_removed_is_none_all_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("content")
    kept = store.keep(tmp_path / "file", "shown")
    blob = store.blobs.path(kept.sha256)
    blob.chmod(0o600)
    blob.write_text("contend")

    def refuse(_path: Path, **_options: Any) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        patch.setattr(blobs_module.Path, "unlink", refuse)
        with pytest.raises(BlobDamaged):
            store.blobs.fetch(kept.sha256, tmp_path / "back")
    assert blob.exists()
    assert not store.holds(kept), "else whoever tries again tries for ever"
    assert store.keep(tmp_path / "file", "shown") == kept
    assert store.holds(kept), "it is another file now"


def test_a_target_that_cannot_be_written_is_not_the_fault_of_the_store(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    kept = store.keep(tmp_path / "file", "shown")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        store.blobs.fetch(kept.sha256, tmp_path / "folder")
    assert store.holds(kept)


# -- no room ------------------------------------------------------------------------------------


def test_what_is_too_large_is_described_and_not_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" * 100)
    for path in (tmp_path / "folder", tmp_path / "folder" / "file"):
        described = store.keep(path, "shown", most=99)
        assert (described.kept, described.sha256) == (False, describe_path(path, "").sha256)
        assert list(store.blobs.digests()) == []
        assert store.keep(path, "shown", most=100).kept
        shutil.rmtree(store.folder)


def test_a_disk_that_is_nearly_full_is_left_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 50_000))  # type: ignore[attr-defined]
    described = store.keep(tmp_path / "file", "shown")
    assert (described.kept, described.sha256) == (False, sha(b"x" * 100))


FILLER = """
import json, os, shutil, sys
from pathlib import Path
from stagebook.system.blobs import BlobDamaged
from stagebook.system.store import Store
shutil.disk_usage = lambda _path: shutil._ntuple_diskusage(10**12, 0, 10**12)  # it lies: another one was faster
store = Store(Path("small/store"))
told = [store.keep(Path(name), name) for name in ("one", "big", "folder")]
told.append(store.blobs.keep_bytes(b"x" * 5_000_000))
try:
    store.fetch(told[0], Path("small/one"))
    target = Path("small/back")
    Path("small/filler").write_bytes(b"y" * 600_000)
    store.fetch(told[0], target)
except OSError as error:
    told.append([error.errno, target.exists()])
told[:3] = [item.to_json() for item in told[:3]]
print(json.dumps([told, sorted(os.listdir("small/store/incoming"))]))
"""


def test_a_disk_that_fills_up_on_the_way_is_the_trouble_of_the_store_alone(tmp_path: Path) -> None:
    skip_without_mounts()
    (tmp_path / "one").write_bytes(b"1" * 600_000)
    (tmp_path / "big").write_bytes(b"b" * 5_000_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"a" * 10)
    (tmp_path / "folder" / "b").write_bytes(b"B" * 5_000_000)
    (tmp_path / "small").mkdir()
    (tmp_path / "filler.py").write_text(FILLER)
    script = f"mount -t tmpfs -o size=2m none small || exit 99\n{sys.executable} filler.py"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=environment(), timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (one, big, folder, nothing, full), incoming = json.loads(done.stdout)
    one, big, folder = map(Artifact.from_json, (one, big, folder))
    assert (one.kept, big.kept, folder.kept, nothing) == (True, False, False, None)
    assert full == [28, False], "no room for the target, and nothing is left of it"
    assert (one.sha256, big.sha256) == (sha(b"1" * 600_000), sha(b"b" * 5_000_000))
    assert folder.sha256 == describe_path(tmp_path / "folder", "").sha256
    assert incoming == []


def test_a_file_that_cannot_be_read_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.keep(tmp_path / "absent", "shown")


# -- several processes --------------------------------------------------------------------------


def _keep_and_fetch(folder: str, source: str, mine: str, rounds: int) -> None:
    store = Store(Path(folder))
    for at in range(rounds):
        kept = store.keep(Path(source), "shown")
        assert kept.kept
        target = Path(mine) / str(at)
        store.fetch(kept, target)
        assert tree(target) == tree(Path(source))
        shutil.rmtree(target)


def test_several_processes_keep_the_same_at_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for at in range(5):
        (source / f"f{at}").write_bytes(str(at).encode() * 20_000)
    context = multiprocessing.get_context("spawn")
    processes = []
    for at in range(3):
        (tmp_path / f"mine{at}").mkdir()
        arguments = (str(tmp_path / "store"), str(source), str(tmp_path / f"mine{at}"), amount(30, 1000))
        processes.append(context.Process(target=_keep_and_fetch, args=arguments))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3
    assert list((tmp_path / "store" / "incoming").iterdir()) == []
    assert all(
        Store(tmp_path / "store").blobs.is_intact(digest)
        for digest, _ in Store(tmp_path / "store").blobs.digests()
    )


def _discard_old(folder: str, stop: str) -> None:
    store = Store(Path(folder))
    Path(f"{stop}.begun").touch()
    while not os.path.exists(stop):
        for digest, _ in store.blobs.digests():
            store.blobs.discard(digest, unless_newer=time.time() - 3600)


def test_what_is_kept_anew_is_not_discarded(tmp_path: Path) -> None:
    """What somebody kept a moment ago is there, though it was old, and was just being removed."""
    store, stop, dice = Store(tmp_path / "store"), tmp_path / "stop", random.Random(SEED)
    process = multiprocessing.get_context("spawn").Process(
        target=_discard_old, args=(str(store.folder), str(stop))
    )
    process.start()
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    gone = 0
    try:
        until(lambda: Path(f"{stop}.begun").exists(), 60, "the other process is at it")
        for at in range(amount(300, 10_000)):
            digest = store.blobs.keep_bytes(b"a list") if at % 2 else store.keep(tmp_path / "file", "").sha256
            assert digest is not None
            for _ in range(3):
                until(lambda: store.blobs.has(digest), 60, "it is there, or put back")  # noqa: B023
            with contextlib.suppress(FileNotFoundError):  # it is looked at aside
                os.utime(store.blobs.path(digest), (5, 5))
            time.sleep(dice.choice([0, 0, 0.001, 0.01]))
            gone += not store.blobs.has(digest)
    finally:
        stop.touch()
        process.join()
    assert process.exitcode == 0
    assert gone > 10, "it was being removed"


# -- looking after it ---------------------------------------------------------------------------


def test_what_is_kept_again_counts_as_new(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    for keep in (lambda: store.blobs.keep_bytes(b"content"), lambda: store.keep(tmp_path / "file", "")):
        keep()
        os.utime(store.blobs.path(sha(b"content")), (5, 5))
        assert not store.blobs.is_newer(sha(b"content"), 1000.0)
        keep()
        assert store.blobs.is_newer(sha(b"content"), 1000.0)
