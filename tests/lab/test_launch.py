"""What a request becomes on the command line."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagebook.cli.app import load
from stagebook_lab.launch import arguments
from stagebook_lab.wire import RunRequest

words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8) | st.sampled_from(
    ["--help", "-p", "--", "-k", "--jobs=9", "--params-file=/etc/passwd", "-C", "a b", "*", "x=y"]
)
names = st.lists(words, max_size=3).map(tuple)


@given(
    st.builds(
        RunRequest,
        pipeline=words,
        stages=names,
        start=names,
        only=names,
        skip=names,
        params=st.dictionaries(words, words, max_size=2),
        jobs=st.none() | st.integers(1, 9),
        force=st.booleans(),
    )
)
def test_nothing_in_a_request_is_taken_for_an_option(request: RunRequest) -> None:
    context = load("run").make_context("run", arguments(request)[1:])
    found: dict[str, Any] = context.params
    assert found["pipeline"] == request.pipeline
    assert tuple(found["stages"] or ()) == request.stages
    assert tuple(found["from_"] or ()) == request.start
    assert tuple(found["only"] or ()) == request.only
    assert tuple(found["skip"] or ()) == request.skip
    assert list(found["params"] or ()) == [f"{name}={value}" for name, value in request.params.items()]
    assert found["params_file"] in {None, ()} or list(found["params_file"]) == []
    assert (found["jobs"], found["force"], found["keep_going"]) == (request.jobs, request.force, False)
