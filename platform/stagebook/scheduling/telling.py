"""What a scheduler tells a person: each thing once, until it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stagebook.journal.tick_table import Tick
from stagebook.scheduling.places import Place, Scheduled
from stagebook.timing.zones import at as moment_at

Say = Callable[[str], None]


class Telling:
    """Takes what there is to tell, and passes on what is new. `say` takes a line, or some."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self._told: dict[tuple[str, str], str] = {}

    def problems(self, place: Place) -> None:
        """That schedules have to wait, and that they go on."""
        for pipeline, problems in place.problems.items():
            text = "\n".join(map(str, problems))
            what = f"{pipeline or 'all pipelines'} in {place.environment}"
            self.once((place.environment, f"/{pipeline}"), f"! {what}: schedules wait\n{text}")
        for name in [it for it in self._told if it[0] == place.environment and it[1].startswith("/")]:
            if name[1][1:] not in place.problems:
                del self._told[name]
                self.say(f"{name[1][1:] or 'all pipelines'} in {place.environment}: schedules go on")

    def ticks(self, one: Scheduled, ticks: Sequence[Tick]) -> None:
        """What was claimed, and what was skipped."""
        for tick in ticks:
            self._told.pop((one.environment, str(one.key)), None)
            if tick.state == "claimed":
                about = f" for {tick.interval.name}" if tick.interval is not None else ""
                self.say(f"{one}: run {tick.run}{about}")
            else:
                since = moment_at(tick.due).strftime("%Y-%m-%d %H:%M:%S")
                self.say(f"{one}: skipped from {since} UTC on: {tick.reason}")

    def once(self, name: tuple[str, str], text: str) -> None:
        """Something about what has this name, unless it was the last that was told about it."""
        if self._told.get(name) != text:
            self._told[name] = text
            self.say(text)
