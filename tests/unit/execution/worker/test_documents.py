"""What of one execution is not in a document, and what stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import Attempt, OutputSlot
from stagebook.execution.worker.documents import _without_paths, write_documents


def attempt(root: Path, path: str = "reports/a.html") -> Attempt:
    folder = root / ".stagebook/runs/r/a/1"
    slots = {
        "out": OutputSlot(path="data/out.csv", staged=".stagebook/runs/r/a/1/outputs/out/out.csv"),
        "page": OutputSlot(
            path=path, staged=f".stagebook/runs/r/a/1/outputs/page/{Path(path).name}", kind="notebook"
        ),
        "table": OutputSlot(path="s3://x/y", staged="s3://x/y", kind="external"),
    }
    return Attempt(
        run="r", pipeline="p", stage="a", number=1, root=str(root), folder=str(folder), notebook="n/a.ipynb",
        executable="n/a.ipynb", outputs=slots,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ROOT/.stagebook/runs/r/a/1/outputs/out/out.csv", "data/out.csv"),
        ("'.stagebook/runs/r/a/1/outputs/out/out.csv'", "'data/out.csv'"),
        ("ROOT/.stagebook/runs/r/a/1/notebook_files/1.txt", "notebook_files/1.txt"),
        ("in ROOT", "in ."),
        ("ROOT/data/x.csv and ROOT/", "data/x.csv and "),
        ("file://ROOT/data/x.csv", "file://data/x.csv"),
        ("ROOT-2/x ROOTx/y /mnt/ROOT/x", "ROOT-2/x ROOTx/y /mnt/ROOT/x"),
        ("iVBOR+ROOT/AAAA/ROOT=", "iVBOR+ROOT/AAAA/ROOT="),
        ("HOME/x.py", "~/x.py"),
        ("/tmp/ipykernel_12/345.py:3: UserWarning", "cell:3: UserWarning"),
        ("s3://x/y", "s3://x/y"),
    ],
)
def test_a_path_that_stands_by_itself_is_seen_from_the_project(text: str, shown: str) -> None:
    root = Path("/srv/work")
    put = {"ROOT": str(root), "HOME": os.path.expanduser("~")}
    for word, place in put.items():
        text, shown = text.replace(word, place), shown.replace(word, place)
    assert _without_paths(attempt(root))(text) == shown


def test_what_cannot_be_written_fails_the_stage(tmp_path: Path) -> None:
    one = attempt(tmp_path)
    folder = Path(one.folder)
    (folder / "outputs/page").mkdir(parents=True)
    broken = '{"output_type": "display_data", "metadata": {}, "data": {"text/markdown": {"no": "text"}}}'
    cell = f'{{"cell_type": "code", "metadata": {{}}, "source": "", "execution_count": 1, "outputs": [{broken}]}}'
    text = f'{{"nbformat": 4, "nbformat_minor": 4, "metadata": {{}}, "cells": [{cell}]}}'
    (folder / "notebook.ipynb").write_text(text)
    with pytest.raises(StageFailure, match=r"could not be written as reports/a\.html") as failed:
        write_documents(one)
    assert failed.value.cause == Cause.INTERNAL
    (folder / "notebook.ipynb").unlink()
    with pytest.raises(FileNotFoundError):
        write_documents(one)
