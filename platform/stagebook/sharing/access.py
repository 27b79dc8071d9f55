"""Access to the place of a shared store: for so long and no longer, and its troubles are noted, not raised."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from stagebook.sharing.place import PlaceFailed

_AGAIN = 60.0  # seconds after which a place that failed is asked again, in a process that goes on
_FAIR = (
    0.2  # seconds for an answer that are no waiting: a store elsewhere needs some, and each spares a stage
)
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """What a person should know of a shared store. `hint` says what to do."""

    message: str
    hint: str = ""

    def to_json(self) -> dict[str, str]:
        """It as plain data."""
        return dataclasses.asdict(self)


class Access:
    """Asks a place, as `shown` to people. `writes`: whether anything may be put there. After a failure, or `budget` seconds of
    waiting for answers beyond a fifth of a second each, it is left alone, which `cautions` says once."""

    def __init__(self, shown: str, *, writes: bool, budget: float, clock: Callable[[], float]) -> None:
        self.shown = shown
        self.writes = writes
        self._budget = budget
        self._clock = clock
        self._failed_at: float | None = None
        self._waited = 0.0
        self._refuses = not writes
        self._cautions: dict[str, Caution] = {}

    def begin(self) -> bool:
        """Ask anew: another run begins. A place that has just failed is still left alone; whether it is not."""
        if self._failed_at is not None and self._clock() - self._failed_at < _AGAIN:
            return False
        self._failed_at = None
        self._waited = 0.0
        self._refuses = not self.writes
        self._cautions = {}
        return True

    @property
    def is_off(self) -> bool:
        """Whether it is left alone after a failure."""
        return self._failed_at is not None

    @property
    def takes(self) -> bool:
        """Whether something can be put there, as far as is known."""
        return not (self.is_off or self._refuses)

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What a person should know, each once."""
        return tuple(self._cautions.values())

    def ask(self, call: Callable[[], _T], default: _T, *, spare: float = 0.0) -> _T:
        """The answer of the place, or the default where it is left alone. So many seconds to `spare` do not count as
        waiting."""
        if self.is_off:
            return default
        began = self._clock()
        try:
            return call()
        except PlaceFailed as error:
            self._fail(error)
        finally:
            self._waited += max(0.0, self._clock() - began - max(_FAIR, spare))
            if self._waited > self._budget and not self.is_off:
                self._fail(PlaceFailed(f"it is too slow: {self._waited:.0f} s went by with waiting for it"))
        return default

    def _fail(self, error: PlaceFailed) -> None:
        self._failed_at = self._clock()
        self.note(f"{error.message}; it is left alone", error.hint)

    def spoilt(self, what: str) -> None:
        """Note that something there is damaged."""
        self.note(f"{what}; it counts as missing", "what needs it is computed here")

    def note(self, message: str, hint: str = "") -> None:
        """Note what a person should know; of each kind once, whatever stands in brackets."""
        kind = message.partition("(")[0]
        self._cautions.setdefault(
            kind, Caution(message=f"the shared store {self.shown}: {message}", hint=hint)
        )

    def write(self, call: Callable[[], None]) -> bool:
        """Put something there; whether that was possible. A place that takes nothing can still be read."""
        if not self.takes:
            return False
        try:
            call()
        except (PlaceFailed, OSError) as error:
            hint = error.hint if isinstance(error, PlaceFailed) else ""
            if isinstance(error, PlaceFailed) and error.slow:
                self._fail(error)
            else:
                self._refuses = True
                self.note(f"nothing more can be put into it: {_text(error)}", hint)
            return False
        return True


def _text(error: Exception) -> str:
    if isinstance(error, PlaceFailed):
        return error.message
    return getattr(error, "strerror", None) or str(error)
