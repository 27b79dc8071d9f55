"""What is new: versions of datasets in journals and manifests, files behind connections."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journals import ended, started
from stagebook.artifact import Artifact
from stagebook.events import RunEnded, Status
from stagebook.journal.journal import Journal
from stagebook.pipeline.model import Schedule
from stagebook.scheduling.news import FILES_EVERY, News, is_news, together
from stagebook.scheduling.places import Scheduled

_marks = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)


def scheduled(schedule: Schedule) -> Scheduled:
    return Scheduled(environment="dev", pipeline="p", file="p", schedule=schedule)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / ".stagebook/journal.db")
    yield made
    made.close()


def made(journal: Journal, run: str, stage: str, content: str, pipeline: str = "orders") -> None:
    outputs = {"out": Artifact(path="o", sha256=content * 64, size=1, kept=True)}
    event = dataclasses.replace(ended(stage, f"f{run}", run), outputs=outputs)
    journal.append([started(run, pipeline), event, RunEnded(run=run, at=12.0, status=Status.COMPLETED)])


def test_a_dataset_is_new_when_its_content_is(tmp_path: Path, journal: Journal) -> None:
    news, one = News(tmp_path, lambda: 0.0), scheduled(Schedule(name="x", on=("orders.clean.out",)))
    assert news.mark(one, journal) == "{}"
    made(journal, "r1", "clean", "a")
    first = news.mark(one, journal)
    assert is_news("{}", first)
    made(journal, "r2", "clean", "a")
    made(journal, "r3", "other", "b")
    made(journal, "r4", "clean", "b", pipeline="else")
    assert news.mark(one, journal) == first
    made(journal, "r5", "clean", "b")
    assert is_news(first, news.mark(one, journal))


def test_a_stage_stands_for_its_instances(tmp_path: Path, journal: Journal) -> None:
    news = News(tmp_path, lambda: 0.0)
    whole = scheduled(Schedule(name="x", on=("orders.load.out",)))
    part = scheduled(Schedule(name="x", on=("orders.load@1.5.out",)))
    made(journal, "r1", "load@1.5", "a")
    made(journal, "r2", "load@2", "a")
    before = news.mark(whole, journal), news.mark(part, journal)
    made(journal, "r3", "load@2", "b")
    assert is_news(before[0], news.mark(whole, journal))
    assert not is_news(before[1], news.mark(part, journal))


def test_a_source_is_asked_once_a_minute(tmp_path: Path, journal: Journal) -> None:
    (tmp_path / "connections.toml").write_text('[incoming]\nurl = "in"\n')
    (tmp_path / "in").mkdir()
    now = [100.0]
    news, one = News(tmp_path, lambda: now[0]), scheduled(Schedule(name="x", files="incoming:*.csv"))
    assert news.mark(one, journal) == "{}"
    (tmp_path / "in/a.csv").write_text("1")
    (tmp_path / "in/b.txt").write_text("1")
    assert news.mark(one, journal) == "{}"
    now[0] += FILES_EVERY
    found = news.mark(one, journal)
    assert list(json.loads(found)) == ["a.csv"]
    (tmp_path / "in").rename(tmp_path / "away")
    now[0] += FILES_EVERY
    gone = news.mark(one, journal)
    assert not is_news(found, gone)


@given(before=_marks, after=_marks)
def test_what_is_seen_together_is_no_news(before: dict[str, str], after: dict[str, str]) -> None:
    one, other = json.dumps(before), json.dumps(after)
    assert is_news(one, other) == any(before.get(name) != value for name, value in after.items())
    assert not is_news(together(one, other), other)
    assert not is_news(one, "")
    assert together(one, "") == json.dumps(before, sort_keys=True)
