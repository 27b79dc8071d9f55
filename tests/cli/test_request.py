"""A request, as words of the command line, asks for the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from stagebook.cli import run as run_command
from stagebook.cli.app import load
from stagebook.planning.select import Selection
from stagebook.runs.request import RunRequest, text_of

words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8) | st.sampled_from(
    ["--help", "-p", "--", "-k", "--jobs=9", "--params-file=/etc/passwd", "-C", "a b", "*", "x=y"]
)
names = st.lists(words, max_size=3).map(tuple)
values = st.none() | st.booleans() | st.integers() | words | st.lists(st.integers() | words, max_size=2)

requests = st.builds(
    RunRequest,
    pipeline=words,
    values=st.dictionaries(words, values, max_size=2),
    pairs=names,
    files=st.lists(words.filter(lambda text: text.strip("./") != "").map(Path), max_size=2).map(tuple),
    selection=st.builds(Selection, targets=names, start=names, only=names, skip=names),
    force=st.booleans(),
    verify=st.booleans(),
    jobs=st.none() | st.integers(1, 9),
    keep_going=st.booleans(),
    keep_dump=st.booleans(),
    keep_kernel=st.booleans(),
    wait=st.booleans(),
    sweep=st.booleans(),
    most=st.none() | st.integers(1, 9),
    stop_when=st.none() | words,
    interval=st.just("") | words,
    schedule=st.just("") | words,
    run_id=st.just("") | words,
)


def asked_by(request: RunRequest) -> RunRequest:
    """What the command makes of the words."""
    command = load("run")
    with mock.patch.object(run_command, "perform") as perform:
        command.invoke(command.make_context("run", request.to_argv()[1:]))
    (found,) = perform.call_args.args
    assert isinstance(found, RunRequest)
    return found


@given(requests)
def test_the_words_of_a_request_ask_for_the_same(request: RunRequest) -> None:
    texts = (f"{name}={text_of(value)}" for name, value in request.values.items())
    expected = dataclasses.replace(request, values={}, pairs=(*request.pairs, *texts))
    assert asked_by(request) == expected


def test_a_request_without_a_pipeline_asks_for_the_only_one() -> None:
    assert asked_by(RunRequest(keep_going=True)) == RunRequest(keep_going=True)
