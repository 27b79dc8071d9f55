"""The report of continuous integration as Markdown and as JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from stagebook.ci.report import CiCheck, CiReport
from stagebook.views.ci_markdown import MOST, in_short, junit, markdown

OUTCOMES = st.sampled_from(["passed", "warned", "failed", "skipped"])
CHECKS = st.builds(
    CiCheck,
    group=st.sampled_from(["check", "stage", "contract", "test"]),
    suite=st.text(max_size=8),
    name=st.text(max_size=8),
    outcome=OUTCOMES,
    message=st.text(max_size=20),
    details=st.text(max_size=30),
)


@given(st.lists(CHECKS, max_size=6))
def test_any_text_is_well_formed_xml_with_the_right_counts(checks: list[CiCheck]) -> None:
    report = CiReport(checks=tuple(checks))
    root = ET.fromstring(junit(report).encode("utf-8"))
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(checks) == int(root.attrib["tests"])
    failed = [case for case in cases if case.find("failure") is not None]
    assert len(failed) == report.count("failed") == sum(int(one.attrib["failures"]) for one in root)
    assert report.passed is not bool(failed)


@given(st.lists(CHECKS, max_size=6))
def test_no_text_leaves_its_line_or_calls_anybody(checks: list[CiCheck]) -> None:
    lines = markdown(CiReport(checks=tuple(checks))).splitlines()
    shown = [check for check in checks if check.outcome in {"failed", "warned"}]
    assert sum(line.startswith("- ") for line in lines) == len(shown)


def test_what_failed_is_told_with_its_details() -> None:
    check = CiCheck(
        group="stage", suite="p", name="train", outcome="failed", message="at cell 2: no", details="a\n```\nb"
    )
    text = markdown(CiReport(checks=(check,)))
    assert "❌ Stagebook: 1 failed" in text
    assert "- ❌ stage **p** train: at cell 2: no" in text
    assert "````diff" in text, "a fence in the details ends nothing"
    assert in_short(CiReport(checks=(check,))) == "1 check failed"
    assert in_short(CiReport(checks=())) == "all passed"


def test_a_report_fits_into_a_comment() -> None:
    check = CiCheck(group="stage", suite="p", name="x", outcome="failed", message="m", details="line\n" * 25)
    text = markdown(CiReport(checks=(check,) * 1000))
    assert len(text) < MOST + 20_000
    assert text.count("<details>") == text.count("</details>")
    assert text.rstrip().endswith("see the files of the job.")
