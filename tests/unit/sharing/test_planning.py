"""What a plan asks a shared store: a few questions for each stage without a result, however much is there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from effort import at_most
from shared import result, sha
from stagebook.planning.plan import Decision
from stagebook.project import Project
from stagebook.sharing.document import Document, blob_path, head_path
from stagebook.sharing.folder_place import FolderPlace

STAGES = 30


def project(root: Path, remote: str) -> ProjectBuilder:
    made = ProjectBuilder(root)
    made.file("stagebook.toml", f'[tracking]\nenabled = false\n[store]\nremote = "{remote}"\n')
    made.notebook("a", "1", params="n = 0\nout = ''")
    rows = (
        f"  s{n}: {{notebook: notebooks/a.ipynb, params: {{n: {n}}}, outputs: {{out: data/{n}.txt}}}}"
        for n in range(STAGES)
    )
    made.pipeline("stages:\n" + "\n".join(rows) + "\n")
    return made


def fill(place: FolderPlace, count: int) -> None:
    """Put so many results of others there."""
    place.write(blob_path(sha(b"one")), b"one")
    for n in range(count):
        one = result(b"one", parts={"params": {"other": n}}, folder="")
        document = Document(result=one, blobs={sha(b"one"): 3})
        place.write(head_path(one.head), b"")
        place.write(document.path, document.text)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a folder was asked, by the question."""
    count: Counter[str] = Counter()

    def counted(name: str) -> Any:
        call = getattr(FolderPlace, name)

        def ask(self: FolderPlace, *args: Any, **more: Any) -> Any:
            count[name] += 1
            return call(self, *args, **more)

        return ask

    for name in ("find", "list", "read", "write", "upload", "download"):
        monkeypatch.setattr(FolderPlace, name, counted(name))
    return count


def test_what_a_plan_asks_does_not_depend_on_how_much_is_there(tmp_path: Path, asked: Counter[str]) -> None:
    (tmp_path / "remote").mkdir()
    place = FolderPlace(tmp_path / "remote")
    seen = []
    for count in (0, 300):
        fill(place, count)
        asked.clear()
        with Project.open(project(tmp_path / f"clone-{count}", "../remote").root) as opened, at_most(600):
            plan = opened.plan("p")
        assert {stage.decision for stage in plan.stages} == {Decision.RUN}
        seen.append(dict(asked))
    assert seen[0] == seen[1] == {"list": STAGES}


def test_a_project_without_one_asks_nothing(tmp_path: Path, asked: Counter[str]) -> None:
    with Project.open(project(tmp_path / "one", "").root) as opened:
        assert opened.placement.shared(opened.root, opened.settings) is None
        opened.plan("p")
    assert not asked
