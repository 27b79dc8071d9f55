"""The cache of files: what is remembered is what a fresh look would find."""

from __future__ import annotations

import hashlib
import json
import mmap
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effort import SEED, amount
from stagebook.system import file_cache as memo_module
from stagebook.system.file_cache import COARSE, RACY, FileCache, stat_of, tick
from stagebook.system.files import EMPTY, describe_path, list_folder, sha256_of

LATER = 10 * RACY  # nanoseconds


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Clock:
    """Nanoseconds, ahead of the real ones: files count as settled at once."""

    def __init__(self, ahead: int = LATER) -> None:
        self.ahead = ahead

    def __call__(self) -> int:
        return time.time_ns() + self.ahead


class Counting:
    """How often the content of files was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(memo_module, "sha256_of", self)

    def __call__(self, path: str | Path) -> str:
        self.count += 1
        return sha256_of(path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def test_a_file_is_read_once(tmp_path: Path, reads: Counting) -> None:
    file, kept = tmp_path / "f", tmp_path / "state" / "files.json"
    file.write_bytes(b"one")
    file_cache = FileCache(kept, clock=Clock())
    assert [file_cache.digest(file) for _ in range(3)] == [sha(b"one")] * 3
    file_cache.save()
    assert FileCache(kept, clock=Clock()).digest(file) == sha(b"one")
    assert reads.count == 1


def test_what_was_just_written_is_read_again(tmp_path: Path, reads: Counting) -> None:
    file = tmp_path / "f"
    file_cache = FileCache(clock=Clock(ahead=0))
    file.write_bytes(b"one")
    assert file_cache.digest(file) == sha(b"one")
    file.write_bytes(b"two")  # within the same tick, perhaps
    assert file_cache.digest(file) == sha(b"two")
    assert reads.count == 2


def test_that_reading_takes_long_does_not_make_a_file_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is changed a second time within the tick of the first change, while it is read."""
    file = tmp_path / "f"
    file.write_bytes(b"one")
    before = stat_of(file)
    now = before[2] + RACY // 2

    def slowly(path: str | Path) -> str:
        nonlocal now
        found = sha256_of(path)
        now += 10 * RACY
        return found

    monkeypatch.setattr(memo_module, "sha256_of", slowly)
    file_cache = FileCache(clock=lambda: now)
    assert file_cache.digest(file) == sha(b"one")
    same_tick(file, b"two", before, monkeypatch)
    assert file_cache.digest(file) == sha(b"two")


def same_tick(file: Path, data: bytes, stat: tuple[int, ...], patch: pytest.MonkeyPatch) -> None:
    """Other content with the same stat as far as `os.utime` goes; the change time is set as it was in what
    the cache sees, since no program can do that to a file."""
    file.write_bytes(data)
    os.utime(file, ns=(stat[1], stat[1]))

    def as_before(path: str | Path) -> tuple[int, ...]:
        found = stat_of(path)
        return (*found[:2], stat[2], *found[3:]) if Path(path) == file else found

    patch.setattr(memo_module, "stat_of", as_before)


@pytest.fixture
def whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that keeps whole seconds."""

    def cut(path: str | Path) -> tuple[int, ...]:
        size, *times, inode, device = stat_of(path)
        return (size, *(at - at % 1_000_000_000 for at in times), inode, device)

    monkeypatch.setattr(memo_module, "stat_of", cut)


@pytest.mark.usefixtures("whole_seconds")
def test_where_times_are_whole_seconds_a_file_settles_after_two(tmp_path: Path, reads: Counting) -> None:
    file = tmp_path / "f"
    for content, ahead, again in (
        (b"one", RACY, True),
        (b"two", 900_000_000, True),
        (b"six", COARSE * 2, False),
    ):
        file.write_bytes(content)
        file_cache = FileCache(clock=Clock(ahead))
        before = reads.count
        assert [file_cache.digest(file), file_cache.digest(file)] == [sha(content)] * 2
        assert reads.count - before == 1 + again, (content, ahead)


@pytest.mark.usefixtures("whole_seconds")
def test_where_times_are_whole_seconds_what_was_published_is_read(tmp_path: Path) -> None:
    """It may have been written once more within the second."""
    file = tmp_path / "f"
    file.write_bytes(b"one")
    file.write_bytes(b"two")
    file_cache = FileCache(clock=Clock(COARSE * 2))
    file_cache.note(file, "sha256", sha(b"one"))
    assert file_cache.digest(file) == sha(b"two")


def test_a_time_of_whole_seconds_beside_a_finer_one_is_by_a_program() -> None:
    assert tick(10_000_000_000, 10_000_000_000) == COARSE
    assert tick(10_000_000_000, 10_000_000_001) == RACY


def test_what_is_read_again_is_bounded_the_smallest_first(
    tmp_path: Path, reads: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memo_module, "MAX_REREAD", 30)
    (tmp_path / "folder").mkdir()
    files = [tmp_path / name for name in ("large", "folder/small", "smaller")]
    for file, size in zip(files, (50, 20, 10), strict=True):
        file.write_bytes(b"x" * size)
    file_cache = FileCache(clock=Clock())
    for verifies, again in ((False, 2), (True, 3)):
        for file in files:
            file_cache.digest(file)
        before = reads.count
        file_cache.verify(verifies)
        for file in files:
            file_cache.digest(file)
        assert reads.count - before == 3 * verifies
        file_cache.reread([tmp_path / "large", tmp_path / "folder", tmp_path / "smaller", tmp_path / "none"])
        for file in files:
            file_cache.digest(file)
        assert reads.count - before == again + 3 * verifies


def test_a_write_through_a_shared_map_is_seen_when_the_file_is_to_be_read_again(
    tmp_path: Path, reads: Counting
) -> None:
    file, kept = tmp_path / "f", tmp_path / "files.json"
    file.write_bytes(b"one")
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 3) as mapped:
        mapped[:] = b"two"  # the page is dirty from now on, and no stat tells of what else is written to it
        file_cache = FileCache(kept, clock=Clock())
        assert file_cache.digest(file) == sha(b"two")
        mapped[:] = b"six"
        file_cache.reread([file])
        assert file_cache.digest(file) == sha(b"six")
        assert file_cache.digest(file) == sha(b"six")
        assert reads.count == 2
        mapped[:] = b"ten"
        file_cache.verify(wanted=True)
        assert file_cache.digest(file) == sha(b"ten")


def test_what_changes_while_it_is_read_again_and_again_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"0")
    count = 0

    def changed(path: str | Path) -> str:
        nonlocal count
        found = sha256_of(path)
        count += 1
        file.write_bytes(b"x" * count)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(memo_module, "sha256_of", changed)
        file_cache = FileCache(clock=Clock())
        file_cache.digest(file)
    assert count == 5
    assert file_cache.digest(file) == sha(b"x" * 5)


def test_equal_size_and_time_of_change_do_not_hide_a_change(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"one")
    file_cache = FileCache(clock=Clock())
    assert file_cache.digest(file) == sha(b"one")
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert file_cache.digest(file) == sha(b"two")


def test_another_file_in_its_place_is_noticed(tmp_path: Path) -> None:
    file, other = tmp_path / "f", tmp_path / "g"
    file.write_bytes(b"one")
    other.write_bytes(b"two")
    for path in (file, other):
        os.utime(path, ns=(5, 5))
    file_cache = FileCache(clock=Clock())
    assert file_cache.digest(file) == sha(b"one")
    other.replace(file)
    assert file_cache.digest(file) == sha(b"two")
    link = tmp_path / "link"
    link.symlink_to(file)
    assert file_cache.digest(link) == sha(b"two")
    third = tmp_path / "third"
    third.write_bytes(b"333")
    link.unlink()
    link.symlink_to(third)
    assert file_cache.digest(link) == sha(b"333")


def test_a_clock_that_was_set_back_costs_reads_and_nothing_else(tmp_path: Path, reads: Counting) -> None:
    file, clock = tmp_path / "f", Clock()
    file_cache = FileCache(tmp_path / "files.json", clock=clock)
    file.write_bytes(b"one")
    assert file_cache.digest(file) == sha(b"one")
    clock.ahead = -3600 * 10**9  # an hour back: the file is of the future
    file.write_bytes(b"two")
    assert file_cache.digest(file) == sha(b"two")
    assert file_cache.digest(file) == sha(b"two")
    assert reads.count == 3, "nothing was remembered meanwhile"
    file.write_bytes(b"333")
    assert file_cache.digest(file) == sha(b"333")
    clock.ahead = LATER
    assert [file_cache.digest(file) for _ in range(2)] == [sha(b"333")] * 2
    assert reads.count == 5


def test_what_is_known_of_a_file_need_not_be_read(tmp_path: Path, reads: Counting) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"one")
    file_cache = FileCache(clock=Clock())
    file_cache.note(file, "sha256", sha(b"one"))
    assert file_cache.digest(file) == sha(b"one")
    assert reads.count == 0
    file_cache.note(tmp_path / "absent", "sha256", "x")
    with pytest.raises(FileNotFoundError):
        file_cache.digest(tmp_path / "absent")


def test_other_facts_are_remembered_by_their_kind(tmp_path: Path) -> None:
    file, kept, calls = tmp_path / "f", tmp_path / "files.json", []

    def words(data: bytes) -> list[str]:
        calls.append(data)
        return data.decode().split()

    file.write_text("a b")
    file_cache = FileCache(kept, clock=Clock())
    assert file_cache.derive(file, "words", words) == ["a", "b"]
    assert file_cache.digest(file) == sha(b"a b")
    file_cache.save()
    file_cache = FileCache(kept, clock=Clock())
    assert file_cache.derive(file, "words", words) == ["a", "b"]
    assert len(calls) == 1
    assert file_cache.derive(file, "other words", words) == ["a", "b"]
    file.write_text("c")
    assert file_cache.derive(file, "words", words) == ["c"]


# -- the file that it is kept in ----------------------------------------------------------------


def poisoned(kept: Path, file: Path) -> bytes:
    """A cache that is written well, and says something wrong of a file."""
    file_cache = FileCache(kept, clock=Clock())
    file_cache.note(file, "sha256", "wrong")
    file_cache.save()
    return kept.read_bytes()


def test_a_file_that_is_damaged_is_as_good_as_none(tmp_path: Path) -> None:
    file, kept = tmp_path / "f", tmp_path / "files.json"
    file.write_bytes(b"one")
    data = poisoned(kept, file)
    assert FileCache(kept, clock=Clock()).digest(file) == "wrong", "the test can tell"
    dice = random.Random(SEED)
    for _ in range(amount(300, 10_000)):
        changed = bytearray(data)
        changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        kept.write_bytes(bytes(changed)[: dice.choice([len(data), dice.randrange(len(data))])])
        assert FileCache(kept, clock=Clock()).digest(file) == sha(b"one")
    for text in (b"", b"\0" * 100, b"{}", b"\xff\xfe", data[:65], data + b"x"):
        kept.write_bytes(text)
        assert FileCache(kept, clock=Clock()).digest(file) == sha(b"one")
    kept.unlink()
    kept.mkdir()
    file_cache = FileCache(kept, clock=Clock())
    assert file_cache.digest(file) == sha(b"one")
    file_cache.save()  # it cannot be: nothing is lost but time


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b'{"v": 2, "files": {}}', b'{"v": 1}', b'{"v": 1, "files": {"x": 1}}', b"1", b"",
        b'{"v": 1, "files": {"x": [[1], {}, 3]}}', b'{"v": 1, "files": []}',
    ],
)  # fmt: skip
def test_a_file_of_another_making_is_as_good_as_none(tmp_path: Path, body: bytes) -> None:
    file, kept = tmp_path / "f", tmp_path / "files.json"
    file.write_bytes(b"one")
    kept.write_bytes(sha(body).encode() + b"\n" + body)
    assert FileCache(kept, clock=Clock()).digest(file) == sha(b"one")


def test_only_what_is_of_use_is_kept_of_very_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo_module, "MAX_ENTRIES", 5)
    kept = tmp_path / "files.json"
    files = [tmp_path / f"f{at}" for at in range(8)]
    for file in files:
        file.write_text("x")
    file_cache = FileCache(kept, clock=Clock())
    for file in files:
        file_cache.digest(file)
    file_cache.save()
    file_cache = FileCache(kept, clock=Clock())
    file_cache.digest(files[0])
    files[1].write_text("y")
    file_cache.digest(files[1])
    file_cache.save()
    assert sorted(json.loads(kept.read_bytes().split(b"\n")[1])["files"]) == sorted(map(str, files[:2]))


def _write_at_once(kept: str, files: list[str], rounds: int) -> None:
    for _ in range(rounds):
        file_cache = FileCache(Path(kept), clock=Clock())
        for file in files:
            assert file_cache.digest(file) == sha256_of(file)
        file_cache._changed = True
        file_cache.save()


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    kept = tmp_path / "files.json"
    files = []
    for at in range(40):
        (tmp_path / f"f{at}").write_text(str(at))
        files.append(str(tmp_path / f"f{at}"))
    context = multiprocessing.get_context("spawn")
    rounds = amount(40, 400)
    processes = [
        context.Process(target=_write_at_once, args=(str(kept), files[at * 5 :], rounds)) for at in range(4)
    ]
    for process in processes:
        process.start()
    looks = 0
    while any(process.is_alive() for process in processes):
        if kept.exists():
            looks += 1
            head, _, body = kept.read_bytes().partition(b"\n")
            assert head.decode() == sha(body), "a reader saw a part"
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert looks, "nobody read while they wrote"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


# -- against a fresh look -----------------------------------------------------------------------


@settings(
    max_examples=amount(60, 1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["write", "append", "replace", "restore time", "touch", "move", "save", "back"]),
            st.integers(0, 2),
            st.sampled_from([b"aaa", b"bbb", b"cc", b""]),
        ),
        max_size=20,
    )
)
def test_whatever_is_done_the_memo_agrees_with_the_files(
    tmp_path: Path, steps: list[tuple[str, int, bytes]]
) -> None:
    files = [tmp_path / f"f{at}" for at in range(3)]
    kept = tmp_path / "files.json"
    kept.unlink(missing_ok=True)
    for file in files:
        file.write_bytes(b"aaa")
    clock = Clock(ahead=0)
    file_cache = FileCache(kept, clock=clock)
    for what, at, data in steps:
        file = files[at]
        before = file.stat()
        match what:
            case "write":
                file.write_bytes(data)
            case "append":
                with file.open("ab") as stream:
                    stream.write(data)
            case "replace":
                (tmp_path / "new").write_bytes(data)
                (tmp_path / "new").replace(file)
            case "restore time":
                file.write_bytes(data)
                os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            case "touch":
                os.utime(file)
            case "move":
                files[at - 1].replace(file)
                files[at - 1].write_bytes(data)
            case "save":
                file_cache.save()
                file_cache = FileCache(kept, clock=clock)
            case "back":
                clock.ahead = -clock.ahead - 10**9
        for one in files:
            assert file_cache.digest(one) == sha(one.read_bytes())


# -- folders ------------------------------------------------------------------------------------


def test_a_folder_is_described_as_it_is_without_a_memo(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in ("b", "a/x", "a-b", ".hidden", "ünïcode", "with space", "new\nline", "empty file"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name * 3)
    (folder / "empty file").write_text("")
    os.mkdir(folder / "empty")
    os.makedirs(folder / "deep/er/empty")
    odd = os.fsencode(folder) + b"/\xff\xfe"
    with open(odd, "wb") as file:
        file.write(b"no UTF-8")
    file_cache = FileCache(clock=Clock())
    described = describe_path(folder, "shown", file_cache.digest)
    assert described == describe_path(folder, "shown") == describe_path(folder, "shown", file_cache.digest)
    size, text = list_folder(folder, sha256_of)
    assert described.sha256 == sha(text)
    assert (described.size, described.path) == (size, "shown")
    lines = text.split(b"\n")
    assert f"{EMPTY}  empty/".encode() in lines
    assert f"{EMPTY}  deep/er/empty/".encode() in lines
    assert f"{sha(b'')}  empty file".encode() in lines
    assert lines[0].endswith(b".hidden")


def test_every_change_in_a_folder_changes_its_hash(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file_cache = FileCache(clock=Clock())
    seen = [describe_path(folder, "", file_cache.digest).sha256]
    (folder / "empty").mkdir()
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    (folder / "empty" / "file").write_text("")
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    (folder / "empty" / "file").write_text("x")
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    (folder / "empty" / "file").rename(folder / "file")
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "link").symlink_to(elsewhere)
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    (elsewhere / "data").write_text("of a folder that is linked")
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    (folder / "itself").symlink_to(folder)
    seen.append(describe_path(folder, "", file_cache.digest).sha256)
    assert len(set(seen[:-1])) == len(seen) - 1
    assert seen[-1] == seen[-2], "a folder within itself ends"


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "closed").mkdir(parents=True)
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (folder / "closed").chmod(0)
    with pytest.raises(PermissionError):
        FileCache(clock=Clock()).describe(folder, "")


def test_what_is_of_no_disk_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "fifo")
    (tmp_path / "folder" / "dangling").symlink_to("nowhere")
    assert describe_path(tmp_path / "folder", "").size == 0
