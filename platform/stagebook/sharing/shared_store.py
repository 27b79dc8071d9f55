"""A shared store, as one run or command uses it: what comes from it is verified, and its troubles are noted, not raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.planning.result import Result
from stagebook.sharing.access import Access, Caution
from stagebook.sharing.document import Document, blob_path, document_of, head_path, result_folder
from stagebook.sharing.place import SLOWEST, Entry, Place
from stagebook.system.blobs import Blobs, is_digest, receive, size_of
from stagebook.system.files import sha256_of
from stagebook.system.store import Store

_MOST = 16  # results of one fingerprint that are looked at
_FRESH = (
    43_200.0  # seconds after which a file that is needed is renewed: half of what `collect.GRACE` leaves it
)
_EXPECTED = 1_000_000  # bytes for which there is time though nobody knows the size


class DamagedHere(Exception):
    """A blob that was to be put into a shared store is damaged here."""


class SharedStore:
    """The shared store at a place, as `shown` to people. `writes`: whether anything may be put into it. After a failure,
    or `budget` seconds of waiting for answers, it is left alone, which `cautions` says once."""

    def __init__(
        self,
        place: Place,
        shown: str,
        *,
        writes: bool = True,
        budget: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = place
        self.access = Access(shown, writes=writes, budget=budget, clock=clock)
        self._forget()

    def _forget(self) -> None:
        self._found: dict[str, list[Result]] = {}
        self._documents: dict[tuple[str, str, int], Document] = {}
        self._sizes: dict[str, int | None] = {}  # blobs that were asked for; `None`: not there, or of no use
        self._heads: dict[str, bool] = {}
        self._is_spoilt = False  # something in it was damaged: what is put there is written anew

    def begin(self) -> None:
        """Ask anew: another run begins."""
        if self.access.begin():
            self._forget()

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What a person should know, each once."""
        return self.access.cautions

    # -- taking ---------------------------------------------------------------------------------

    def find(self, fingerprint: str) -> Iterator[Result]:
        """The results with this fingerprint, the latest first. They have no number, and `document.SHARED` as their source."""
        if fingerprint in self._found:
            yield from self._found[fingerprint]
            return
        found: list[Result] = []
        none: Sequence[Entry] = ()
        entries = self.access.ask(lambda: self.place.list(result_folder(fingerprint)), none)
        named = [entry for entry in entries if is_digest(entry.name.removesuffix(".json"))]
        for entry in sorted(named, key=_age)[:_MOST]:
            if (document := self.document(entry)) is not None:
                result = document.result
                self._documents[result.run, result.stage, result.attempt] = document
                found.append(result)
        if found:
            self._found[fingerprint] = sorted(found, key=lambda one: one.at, reverse=True)
            yield from self._found[fingerprint]

    def document(self, entry: Entry) -> Document | None:
        """The result in a file of the store; `None` where it is gone, or not as it was written."""
        text = self.access.ask(lambda: self.place.read(entry.path), None)
        if text is None:
            return None
        try:
            return document_of(text, entry.path)
        except ValueError as error:
            self.access.spoilt(f"a result in it cannot be used ({entry.name[:12]}): {error}")
            return None

    def document_for(self, result: Result) -> Document | None:
        """The document of a result that was found in it."""
        return self._documents.get((result.run, result.stage, result.attempt))

    def has_head(self, head: str) -> bool:
        """Whether there is any result with this head."""
        if head not in self._heads:
            self._heads[head] = self.access.ask(lambda: self.place.find(head_path(head)), None) is not None
        return self._heads[head]

    def offers(self, digest: str) -> bool:
        """Whether a blob is there; only bringing it shows whether it is intact."""
        if not is_digest(digest):
            return False
        if digest not in self._sizes:
            found = self.access.ask(lambda: self.place.find(blob_path(digest)), None)
            self._sizes[digest] = found.size if found is not None else None
        return not self.access.is_off and self._sizes[digest] is not None

    def bring(self, digest: str, blobs: Blobs) -> bool:
        """Bring a blob to others; whether that was possible. What is damaged counts as missing from then on."""
        if (
            self.access.is_off
            or not is_digest(digest)
            or (digest in self._sizes and self._sizes[digest] is None)
        ):
            return False
        expected = self._sizes.get(digest) or _EXPECTED

        def write(target: Path) -> bool:
            return self.access.ask(
                lambda: self.place.download(blob_path(digest), target, expected),
                default=False,
                spare=expected / SLOWEST,
            )

        try:
            came = receive(blobs, digest, write)
            if came is False:  # it may have been spoilt on the way
                came = receive(blobs, digest, write)
        except OSError as error:
            self.access.note(f"what it has could not be written here: {error.strerror or error}")
            came = None
        if came is False:
            self._is_spoilt = True
            self.access.spoilt(f"a file in it is damaged ({digest[:12]})")
            if self.access.takes:
                self.access.ask(lambda: self.place.remove(blob_path(digest)), default=False)
        if not came:
            self._sizes[digest] = None
        return bool(came)

    # -- giving ---------------------------------------------------------------------------------

    def push(self, document: Document, files: Callable[[str], Path]) -> bool:
        """Put a result with its blobs into it, the result last; whether it is there now. `files`: where a blob is here. Raises
        `DamagedHere` where one is not what its name says."""

        def put() -> None:
            self.put_blobs(document.blobs, files)
            head = document.result.head
            if is_digest(head) and self.place.find(head_path(head)) is None:
                self.place.write(head_path(head), b"")
            if self.place.find(document.path) is None:
                self.place.write(document.path, document.text)

        return self.access.write(put)

    def put_blobs(self, blobs: Mapping[str, int], files: Callable[[str], Path]) -> None:
        """Put blobs into it that are not there, digest → size in bytes, and renew the others. Raises `PlaceFailed`, and as
        `push`."""
        now = time.time()
        for digest, size in blobs.items():
            path = blob_path(digest)
            found = self.place.find(path)
            if found is None or found.size != size or self._is_spoilt:
                if sha256_of(files(digest)) != digest:
                    raise DamagedHere(digest)
                self.place.upload(files(digest), path)
            elif found.changed is None or now - found.changed > _FRESH:
                self.place.renew(path, files(digest))
            self._sizes[digest] = size

    def renew(self, document: Document) -> None:
        """Note that a result was used, so that it is kept."""
        found = self.access.ask(lambda: self.place.find(document.path), None)
        if found is not None and found.changed is not None and time.time() - found.changed > _FRESH:
            self.access.write(lambda: self.place.write(document.path, document.text))

    def is_there(self) -> bool:
        """Whether it answers; why not, `cautions` says."""
        self.access.ask(lambda: len(self.place.list("results")), 0)
        return not self.access.is_off

    def close(self) -> None:
        """Let go of what asking takes."""
        self.place.close()


def blobs_of(result: Result, store: Store) -> dict[str, int] | None:
    """The blobs of a result in the store of its project, digest → size in bytes; `None` where one of its outputs is not
    there any more."""
    found = blobs_in((*result.outputs.values(), *result.written.values()), store)
    if result.sources:
        found[result.sources] = size_of(store.blobs, result.sources)
        if found[result.sources] is None:
            del found[result.sources]  # it only serves to show what changed
    sizes = {digest: size for digest, size in found.items() if size is not None}
    return sizes if len(sizes) == len(found) else None


def blobs_in(items: Iterable[Artifact], store: Store) -> dict[str, int | None]:
    """The blobs of outputs, those of folders with all of their files: digest → size in bytes, `None` where one is not in the
    store."""
    digests: set[str] = set()
    for item in items:
        digests.add(item.sha256)
        if item.folder:
            digests.update(store.members(item.sha256))
    return {digest: size_of(store.blobs, digest) for digest in digests}


def _age(entry: Entry) -> float:
    return -(entry.changed or 0.0)
