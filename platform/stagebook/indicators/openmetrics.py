"""Indicators as text that Prometheus and others collect: OpenMetrics 1.0. What stands on nothing has no sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stagebook.indicators.indicator import Unit
from stagebook.indicators.report import FIGURES, PipelineFigures

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_SUFFIX: Mapping[Unit, str] = {"ratio": "_ratio", "seconds": "_seconds", "per_week": "_per_week", "count": ""}
_UNITS = {"ratio", "seconds"}
_Sample = tuple[Mapping[str, str], float]


def openmetrics(found: Sequence[PipelineFigures]) -> str:
    """The text, with the labels `environment` and `pipeline`."""
    lines: list[str] = []
    spans = [(_labels(one), one.window.end - one.window.start) for one in found]
    lines += _family("window", "seconds", "The length of the window that all figures are of.", spans)
    for figure in FIGURES:
        text = f"{figure.title[0].upper()}{figure.title[1:]}: {figure.formula}."
        pairs = [(one, one.find(figure.name)) for one in found]
        samples = [(_labels(one), read.value) for one, read in pairs if read.value is not None]
        lines += _family(figure.name, figure.unit, text, samples)
        parts = [
            ({**_labels(one), figure.part: name}, value)
            for one, read in pairs
            for name, value in read.parts.items()
        ]
        lines += _family(f"{figure.name}_by_{figure.part}", figure.unit, text, parts)
    return "\n".join([*lines, "# EOF", ""])


def _labels(one: PipelineFigures) -> dict[str, str]:
    return {"environment": one.environment, "pipeline": one.pipeline}


def _family(name: str, unit: Unit, text: str, samples: Iterable[_Sample]) -> Iterator[str]:
    found = list(samples)
    if not found:
        return
    full = f"stagebook_{name}{_SUFFIX[unit]}"
    yield f"# TYPE {full} gauge"
    if unit in _UNITS:
        yield f"# UNIT {full} {unit}"
    yield f"# HELP {full} {_escaped(text)}"
    for labels, value in found:
        listed = ",".join(f'{label}="{_escaped(told)}"' for label, told in sorted(labels.items()))
        yield f"{full}{{{listed}}} {float(value)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
