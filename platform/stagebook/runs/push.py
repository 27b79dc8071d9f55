"""What a project gives to the store that it shares with others, and keeps of what it took from there."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from stagebook.errors import JournalUnreadable
from stagebook.events import AttemptEnded, Status
from stagebook.execution.attempt import NOTEBOOK_FILE
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal
from stagebook.planning.result import Result
from stagebook.sharing.access import Caution
from stagebook.sharing.document import SHARED, Document, why_private
from stagebook.sharing.shared_store import DamagedHere, SharedStore, blobs_of
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import make_private, sha256_of, write_whole
from stagebook.system.store import Store
from stagebook.workspace.paths import STATE_FOLDER

_FILE = "shared.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What passed between a project and the shared store: how many results were `pushed`, `taken` in a run, are `private`,
    so that they are not shared, and are `left` to be pushed."""

    pushed: int = 0
    taken: int = 0
    private: int = 0
    left: int = 0
    cautions: tuple[Caution, ...] = ()

    def to_json(self) -> dict[str, object]:
        """It as plain data."""
        return {**dataclasses.asdict(self), "cautions": [one.to_json() for one in self.cautions]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """The project at `root` and the store that it `shared` with others, by the name that `project` tells."""

    root: Path
    shared: SharedStore
    journal: Callable[[], Journal]
    store: Store
    project: Callable[[], str] = str

    # -- what was taken -------------------------------------------------------------------------

    def adopt(self, pipeline: str, history: RunHistory) -> int:
        """Keep what belongs to the results that a run took: their executed notebooks, and the texts of their code. How many
        there were. Where something cannot be had, the result is as good without."""
        reused = [stage.id for stage in history.stages.values() if stage.status is Status.REUSED]
        if not reused:
            return 0
        latest = self.journal().results.latest(pipeline)
        taken = [latest[name] for name in reused if name in latest and latest[name].source == SHARED]
        documents = [found for one in taken if (found := self.shared.document_for(one)) is not None]
        for document in documents:
            self.shared.renew(document)
            with contextlib.suppress(OSError, BlobDamaged):
                self._adopt(document)
        return len(documents)

    def _adopt(self, document: Document) -> None:
        blobs, sources = self.store.blobs, document.result.sources
        if sources in document.blobs and not blobs.has(sources):
            self.shared.bring(sources, blobs)
        target = self.root / document.result.folder / NOTEBOOK_FILE
        if not document.notebook or not document.result.folder or target.exists():
            return
        if blobs.has(document.notebook) or self.shared.bring(document.notebook, blobs):
            make_private(target.parent)
            blobs.fetch(document.notebook, target)

    # -- what is given --------------------------------------------------------------------------

    def push(self, *, all_of_them: bool = False) -> Shared:
        """Push the results that came since the last time; the first time those that stages came to last, or all. It ends
        where the store takes nothing more, or at Ctrl-C: what is left is pushed the next time. Raises nothing."""
        done = Shared()
        if not self.shared.access.writes:
            return dataclasses.replace(done, cautions=self.shared.cautions)
        try:
            waiting = self._waiting(all_of_them=all_of_them)
            done = dataclasses.replace(done, left=len(waiting))
            for result in waiting:
                is_pushed = self._push(result)
                if is_pushed is None:
                    break
                self._note(result.number)
                done = dataclasses.replace(
                    done,
                    left=done.left - 1,
                    pushed=done.pushed + is_pushed,
                    private=done.private + (not is_pushed),
                )
        except KeyboardInterrupt:
            why = Caution(message="interrupted while results were put into the shared store")
            return dataclasses.replace(done, cautions=(*self.shared.cautions, why))
        except (JournalUnreadable, OSError) as error:
            why = Caution(message=f"results could not be put into the shared store: {error}")
            return dataclasses.replace(done, cautions=(*self.shared.cautions, why))
        return dataclasses.replace(done, cautions=self.shared.cautions)

    def _push(self, result: Result) -> bool | None:
        """Push one result: whether it is there now; `None` where the store takes nothing more."""
        document = self._document(result)
        if document is None:
            return False
        try:
            return self.shared.push(document, self._file(document)) or None
        except DamagedHere:
            return False  # `store verify` removes it

    def count_waiting(self) -> int:
        """How many results were not looked at yet."""
        return len(self._waiting(all_of_them=False))

    def _waiting(self, *, all_of_them: bool) -> list[Result]:
        """The results to be pushed, in the order in which they came."""
        results = self.journal().results
        before = None if all_of_them else self._noted()
        if before is not None:
            found: Iterable[Result] = results.where("number > ?", (before,))
        elif all_of_them:
            found = results.where("1", ())
        else:
            found = results.where("number IN (SELECT number FROM latest)", ())
        return sorted((one for one in found if one.source != SHARED), key=lambda one: one.number)

    def _document(self, result: Result) -> Document | None:
        """A result as the shared store keeps it; `None` where it is not shared, or its outputs are not here."""
        made = self.journal().events.find(result.number)
        if why_private(result) or (isinstance(made, AttemptEnded) and made.bookmark is not None):
            return None
        blobs = blobs_of(result, self.store)
        if blobs is None:
            return None
        notebook = self.root / result.folder / NOTEBOOK_FILE
        if not result.folder or not notebook.is_file():
            return Document(result=result, blobs=blobs)
        digest = sha256_of(notebook)
        return Document(result=result, blobs={**blobs, digest: notebook.stat().st_size}, notebook=digest)

    def _file(self, document: Document) -> Callable[[str], Path]:
        notebook = self.root / document.result.folder / NOTEBOOK_FILE
        return lambda digest: notebook if digest == document.notebook else self.store.blobs.path(digest)

    # -- how far ---------------------------------------------------------------------------------

    def _noted(self) -> int | None:
        """The number of the last result that was looked at for this shared store; `None` where none was."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            number = int(json.loads(self._notes.read_bytes())[self.shared.access.shown])
            if number <= self.journal().events.last_number():
                return number
        return None

    def _note(self, number: int) -> None:
        before = self._noted()
        if before is not None and before >= number:
            return
        known: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._notes.read_bytes())
            known = found if isinstance(found, dict) else {}
        known[self.shared.access.shown] = number
        write_whole(self._notes, json.dumps(known).encode(), mode=0o600)

    @property
    def _notes(self) -> Path:
        return self.root / STATE_FOLDER / _FILE
