"""From samples to tables in Markdown."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.cases import Budget, Case, Figure

PARTS = {"stages": "abcdef", "reuse": "ghij"}  # the parts of a document, and the cases whose tables they hold


@dataclasses.dataclass(slots=True, kw_only=True)
class Results:
    """What came out of a case: for each contender the figures of its rounds, by the figures' titles; and
    why a contender has none. A round that failed is None."""

    case: Case
    rounds: dict[str, list[Mapping[str, float] | None]] = dataclasses.field(default_factory=dict)
    missing: dict[str, str] = dataclasses.field(default_factory=dict)

    def values(self, contender: str, figure: str) -> list[float]:
        """A figure of the rounds that went well."""
        return [found[figure] for found in self.rounds.get(contender, []) if found]

    def ratios(self, contender: str, base: str | None, figure: str) -> list[float]:
        """A contender's figure over that of another in the same round."""
        pairs = zip(self.rounds.get(contender, []), self.rounds.get(base or "", []), strict=False)
        return [own[figure] / other[figure] for own, other in pairs if own and other]


def render(results: Sequence[Results], facts: Mapping[str, str]) -> str:
    """The whole report: what was measured with, the budgets, then each case."""
    lines = ["| measured with | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    budgets = [line for result in results for line in _budget_lines(result)]
    if budgets:
        lines += [
            "",
            "#### Budgets",
            "",
            "| what | budget | measured | met |",
            "| --- | --- | --- | --- |",
            *budgets,
        ]
    for result in results:
        lines += ["", f"#### {result.case.title}", ""]
        for figure in result.case.figures:
            lines += [*_figure_lines(result, figure), ""]
        lines.pop()
        lines += _missing_lines(result)
    return "\n".join(lines) + "\n"


def marks(part: str) -> tuple[str, str]:
    """Between which the tables of a part stand."""
    return f"<!-- measured:{part} -->", f"<!-- /measured:{part} -->"


def has_place(document: Path, part: str) -> bool:
    """Whether a document has the two marks of a part."""
    begin, end = marks(part)
    text = document.read_text(encoding="utf-8") if document.is_file() else ""
    return end in text.partition(begin)[2]


def write_into(document: Path, part: str, text: str) -> None:
    """Put tables between the two marks of a part, which the document has to have."""
    begin, end = marks(part)
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def _figure_lines(result: Results, figure: Figure) -> Iterator[str]:
    unit = f", {figure.unit}" if figure.unit else ""
    heads = ["", f"{figure.title}{unit}: median", "lowest to highest"]
    if figure.base:
        heads.append(f"÷ {figure.base}: median (lowest to highest)")
    if figure.against:
        heads.append(f"{figure.against} ÷ it: median (lowest to highest)")
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for entry in result.case.entries:
        name = entry.contender.name
        values = result.values(name, figure.title)
        if not values:
            continue
        cells = [f"{name} ({entry.note})" if entry.note else name]
        cells += [_number(statistics.median(values), figure), _span(values, figure.digits)]
        if figure.base:
            cells.append(
                _ratio_cell(result.ratios(name, figure.base, figure.title), is_one=name == figure.base)
            )
        if figure.against:
            ratios = result.ratios(figure.against, name, figure.title)
            cells.append(_ratio_cell(ratios, is_one=name == figure.against))
        yield _row(cells)


def _missing_lines(result: Results) -> Iterator[str]:
    missing = {**result.case.absent, **result.missing}
    notes = [f"- {name}: {reason}" for name, reason in missing.items()]
    for name, rounds in result.rounds.items():
        failed = sum(found is None for found in rounds)
        if failed and name not in missing:
            notes.append(f"- {name}: {failed} of {len(rounds)} rounds failed")
    if notes:
        yield ""
        yield "Not measured:"
        yield ""
        yield from notes


def _budget_lines(result: Results) -> Iterator[str]:
    figures = {figure.title: figure for figure in result.case.figures}
    for budget in result.case.budgets:
        limit = f"{'≥' if budget.kind == 'at least' else '≤'} {budget.limit:,g}"
        measured, met = _held(result, budget, figures[budget.figure])
        yield _row([budget.text, limit, measured, met])


def _held(result: Results, budget: Budget, figure: Figure) -> tuple[str, str]:
    """What was measured, and whether it keeps the budget. A budget is not met where a round failed."""
    values = result.values(budget.contender, figure.title)
    if budget.kind == "median ratio":
        values = result.ratios(budget.contender, figure.base, figure.title)
    failed = any(found is None for found in result.rounds.get(budget.contender, []))
    if not values:
        return ("failed", "**no**") if failed else ("not measured", "?")
    if budget.kind == "median ratio":
        shown, met = _ratio(values), statistics.median(values) <= budget.limit
    elif budget.kind == "median":
        middle = statistics.median(values)
        shown, met = f"{_number(middle, figure)} ({_span(values, figure.digits)})", middle <= budget.limit
        shown += "".join(_shares(result, budget))
    elif budget.kind == "at most":
        shown, met = _span(values, figure.digits), max(values) <= budget.limit
    else:
        shown, met = _span(values, figure.digits), min(values) >= budget.limit
    return shown, "yes" if met and not failed else "**no**"


def _shares(result: Results, budget: Budget) -> Iterator[str]:
    """The median ratios of a contender's figure to those of the others, but not of its own variants."""
    for entry in result.case.entries:
        name = entry.contender.name
        ratios = result.ratios(budget.contender, name, budget.figure)
        if ratios and not name.startswith(budget.contender):
            yield f"; ÷ {name}: {statistics.median(ratios):.3f}"


def _number(value: float, figure: Figure) -> str:
    return f"{value:,.{figure.digits}f}"


def _span(values: Sequence[float], digits: int) -> str:
    low, high = (f"{value:,.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _ratio(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({_span(values, 3)})"


def _ratio_cell(values: Sequence[float], *, is_one: bool) -> str:
    return "1" if is_one else _ratio(values) if values else ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
