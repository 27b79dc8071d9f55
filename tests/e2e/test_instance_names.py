"""A run whose instances have names of the file's own: what refers to them, and that results do not hang on them."""

from __future__ import annotations

import pytest

from building import ProjectBuilder, ran
from stagebook.planning.plan import Decision

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]

FIT = 'open(out, "w").write(f"{model} {year}")'


def test_a_run_with_names_joins_them_and_reuses_all_after_another_order(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("fit", FIT, params="model = {}\nyear = 0\nout = ''")
    builder.notebook("use", "open(out, 'w').write(open(src).read())", params="src = ''\nout = ''")
    text = """
    stages:
      fit:
        notebook: notebooks/fit.ipynb
        matrix: {model: MODELS, year: [1, 2]}
        instances: {exclude: [{model: large, year: 2}], name: "${matrix.model}_${matrix.year}"}
        params: {model: "${matrix.model}", year: "${matrix.year}"}
        outputs: {out: "data/${matrix.model}-${matrix.model.depth}-${matrix.year}.txt"}
      use:
        notebook: notebooks/use.ipynb
        matrix: {model: MODELS}
        inputs: {src: "fit@${matrix.model}-1.out"}
        outputs: {out: "data/${matrix.model}.txt"}
      last:
        notebook: notebooks/use.ipynb
        inputs: {src: fit@small_2.out}
        outputs: {out: data/last.txt}
    """
    builder.pipeline(text.replace("MODELS", "{small: {depth: 2}, large: {depth: 9}}"))
    report = builder.project.run("p")
    assert ran(report) == ["fit@small_1", "fit@small_2", "fit@large_1", "use@small", "use@large", "last"]
    assert (builder.root / "data/large.txt").read_text() == "{'depth': 9} 1"
    assert (builder.root / "data/last.txt").read_text() == "{'depth': 2} 2"
    builder.pipeline(text.replace("MODELS", "{large: {depth: 9}, small: {depth: 2}}"))
    assert [one.decision for one in builder.plan().stages] == [Decision.REUSE] * 6
    builder.pipeline(
        text.replace("MODELS", "{large: {depth: 9}, small: {depth: 2}}")
        .replace(', name: "${matrix.model}_${matrix.year}"', "")
        .replace("small_2", "small-2")
    )
    assert [one.decision for one in builder.plan().stages] == [Decision.REUSE] * 6, (
        "results do not hang on names"
    )
