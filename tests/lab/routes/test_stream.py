"""The stream of changes: complete, resumable, and at rest where nobody listens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from building import ProjectBuilder
from measured import History
from stagebook_lab.feed.watch import Feeds


class Viewer:
    """A browser that keeps what the stream tells it."""

    def __init__(self, port: int, path: str, headers: dict[str, str], last: int | None = None) -> None:
        self.changes: list[dict[str, Any]] = []
        self.problems: list[dict[str, Any]] = []
        self.ids: list[int] = []
        self.stages: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self._text = ""
        more = {} if last is None else {"Last-Event-ID": str(last)}
        self._task = asyncio.ensure_future(self._follow(port, path, {**headers, **more}))

    async def _follow(self, port: int, path: str, headers: dict[str, str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"GET {path} HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], head
        assert b"text/event-stream" in head
        try:
            while data := await reader.read(1 << 16):
                self._take(data)
        finally:
            writer.close()

    def _take(self, data: bytes) -> None:
        self._text += data.decode()
        while "\n\n" in self._text:
            block, _, self._text = self._text.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if fields.get("event") == "problem":
                self.problems.append(json.loads(fields["data"]))
            if fields.get("event") == "change":
                change = json.loads(fields["data"])
                self.changes.append(change)
                self.ids.append(int(fields["id"]))
                self.stages |= {stage["id"]: stage for stage in change["stages"]}
                self.runs |= {run["id"]: run for run in change["runs"]}

    async def until(self, that: Callable[[Viewer], bool], seconds: float = 60.0) -> None:
        for _ in range(int(seconds / 0.05)):
            if that(self):
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"never seen: {self.changes[-1:]} {self.problems[-1:]}")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture
def watch(jp_http_port, jp_base_url, jp_auth_header, api):
    def start(last: int | None = None) -> Viewer:
        return Viewer(jp_http_port, f"{jp_base_url}stagebook/stream", dict(jp_auth_header), last)

    return start


def feeds_of(app) -> Feeds:
    (extension,) = app.extension_manager.extension_apps["stagebook_lab"]
    return extension.services.feeds


def in_a_terminal(lab: ProjectBuilder) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "stagebook", "run", "sums"], cwd=lab.root, stdout=subprocess.DEVNULL
    )


@pytest.mark.kernel
async def test_a_run_in_a_terminal_is_seen_and_a_lost_connection_resumed(
    watch, lab: ProjectBuilder, jp_serverapp
) -> None:
    viewer = watch()
    await viewer.until(lambda seen: seen.changes)
    assert viewer.changes[0]["full"]
    assert viewer.changes[0]["seq"] == 0

    process = in_a_terminal(lab)
    await viewer.until(lambda seen: any(s["status"] == "running" for s in seen.stages.values()))
    left_at = viewer.ids[-1]
    await viewer.close()

    again = watch(left_at)
    await again.until(lambda seen: any(run["ended"] for run in seen.runs.values()))
    assert process.wait(30) == 0
    assert not any(change["full"] for change in again.changes)
    assert again.ids == sorted(again.ids)
    viewer.stages |= again.stages
    assert {name: stage["status"] for name, stage in viewer.stages.items()} == {
        "first": "completed",
        "second": "completed",
    }
    end = again.ids[-1]
    await again.close()

    quiet = watch(end)
    lab.pipeline("stages: {a: {notebook: notebooks/first.ipynb}}\n", "more")
    await quiet.until(lambda seen: seen.changes)
    assert quiet.changes[0]["stages"] == []
    await quiet.close()

    ahead = watch(end + 1_000)  # of a journal that was moved away
    await ahead.until(lambda seen: seen.changes)
    assert ahead.changes[0]["full"]
    await ahead.close()
    feed = feeds_of(jp_serverapp).of(lab.root)
    for _ in range(100):
        if feed._thread is None:
            break
        await asyncio.sleep(0.05)
    assert feed._thread is None


async def test_an_edit_of_a_notebook_by_another_program_is_told(watch, lab: ProjectBuilder) -> None:
    viewer = watch()
    await viewer.until(lambda seen: seen.changes)
    lab.notebook("unrelated", "1")
    lab.edit("second", "print(open(number).read())", "print(open(number).read().upper())")
    await viewer.until(lambda seen: len(seen.changes) > 1)
    before, after = viewer.changes
    assert before["definitions"] != after["definitions"]
    await viewer.close()


async def test_an_edit_of_a_module_or_of_data_by_another_program_is_told(
    watch, api, lab: ProjectBuilder
) -> None:
    """Also one between the plan and the next look at the files; what no plan rests on is left alone."""
    lab.file("helpers/words.py", "WORD = 'one'\n")
    lab.file("raw/day.csv", "1\n")
    lab.file("raw/months/january.csv", "1\n")
    lab.notebook("reads", "from helpers.words import WORD", "WORD", params="day = months = ''")
    lab.pipeline(
        """
        stages:
          reads: {notebook: notebooks/reads.ipynb, inputs: {day: raw/day.csv, months: raw/months}}
        """,
        "reads",
    )
    viewer = watch()
    await viewer.until(lambda seen: seen.changes)
    await api.get("plan", pipeline="reads")
    lab.file("helpers/words.py", "WORD = 'two'\n")
    await viewer.until(lambda seen: len(seen.changes) == 2, seconds=10)
    lab.file("raw/day.csv", "2\n")
    await viewer.until(lambda seen: len(seen.changes) == 3, seconds=10)
    lab.file("raw/months/february.csv", "2\n")
    await viewer.until(lambda seen: len(seen.changes) == 4, seconds=10)
    (lab.root / "raw/day.csv").unlink()
    await viewer.until(lambda seen: len(seen.changes) == 5, seconds=10)
    lab.file("helpers/others.py", "")
    await api.get("plan", pipeline="sums")  # of another pipeline: nothing of either has changed
    await asyncio.sleep(2.5)  # two looks
    assert len(viewer.changes) == 5
    assert len({change["definitions"] for change in viewer.changes}) == 5
    await viewer.close()


async def test_what_is_written_in_another_environment_is_told_and_reading_it_is_not(
    watch, api, lab: ProjectBuilder
) -> None:
    lab.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\n")
    viewer = watch()
    await viewer.until(lambda seen: seen.changes)
    assert viewer.changes[-1]["elsewhere"] == {}
    there = History(lab.root, pipeline="sums", state=lab.root / ".stagebook/environments/prod/state")
    there.run("one", time.time() - 60)
    there.close()
    await viewer.until(lambda seen: "prod" in seen.changes[-1]["elsewhere"], seconds=10)
    await asyncio.sleep(1.5)  # a look
    before = viewer.changes[-1]["elsewhere"]
    seen = len(viewer.changes)
    for _ in range(3):
        (run,) = (await api.get("grid", pipeline="sums", environment="prod"))["runs"]
        assert run["id"] == "one"
        await asyncio.sleep(0.5)
    await asyncio.sleep(1.5)  # a look
    assert len(viewer.changes) == seen
    assert viewer.changes[-1]["elsewhere"] == before
    await viewer.close()


async def test_a_damaged_journal_is_told_and_a_new_one_is_taken_up(watch, lab: ProjectBuilder) -> None:
    lab.file(".stagebook/journal.db", b"nothing that SQLite knows" * 100)
    viewer = watch()
    await viewer.until(lambda seen: seen.problems)
    assert viewer.problems[0]["kind"] == "JournalUnreadable"
    (lab.root / ".stagebook/journal.db").unlink()
    await viewer.until(lambda seen: seen.changes)
    await viewer.close()


async def test_a_stream_about_no_project_is_refused(api) -> None:
    status, reply = await api.refused("stream", project="nowhere")
    assert (status, reply["kind"]) == (404, "ProjectNotFound")
