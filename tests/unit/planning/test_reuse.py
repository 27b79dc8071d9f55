"""What becomes of a stage, and why: every decision, with dependencies and results that are made up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from stagebook.artifact import Artifact
from stagebook.code.closure import Code, LocalFile
from stagebook.pipeline.expressions import compile_value
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.plan import Decision, Judgement, PlannedInput, PlannedOutput, PlannedStage
from stagebook.planning.result import Made, Result, made_of, mark_of
from stagebook.planning.reuse import ReusePolicy, made_by


class MadeUpDependencies:
    """A project that is made up. What is in `files` is there, with its content; `kept` is in the store."""

    def __init__(self) -> None:
        self.codes: dict[str, Code | NotebookUnreadable] = {
            "n.ipynb": Code(cells=("c1", "c2"), numbers=(1, 3))
        }
        self.files: dict[str, str] = {}
        self.stamps: dict[str, int] = {}
        self.kept: set[str] = set()
        self.libraries = {"pandas": "3.0"}
        self.env: dict[str, str] = {}
        self.kernels: list[tuple[str, str | None]] = []
        self.forgotten = 0
        self.store = SimpleNamespace(blobs=SimpleNamespace(has=lambda digest: digest in self.kept))

    def code(self, notebook: str, kernel: str | None, folder: str = ".") -> Code:
        known = self.codes[notebook]
        if isinstance(known, NotebookUnreadable):
            raise known
        return known

    def digest(self, path: str) -> str | None:
        return self.files.get(path)

    def stamp(self, path: str) -> object:
        return self.stamps.get(path, 0)

    def freshen(self, notebook: str, kernel: str | None) -> None:
        raise NotImplementedError

    def holds(self, output: Mapping[str, Any]) -> bool:
        return output.sha256 in self.kept

    def versions(self, imports: Iterable[str], kernel: str) -> Mapping[str, str]:
        return {name: version for name, version in self.libraries.items() if name in imports}

    def kernel(self, notebook: str, name: str | None) -> Mapping[str, str]:
        self.kernels.append((notebook, name))
        return {"kernel": name or "python3"}

    def env_mark(self, name: str) -> str | None:
        return self.env.get(name)

    def forget(self, _doubtful: Iterable[str] = ()) -> None:
        self.forgotten += 1


class Known:
    """Results that are made up; `overwritten` are the numbers of those that no longer stand."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Result]] = []
        self.overwritten: set[int] = set()

    def find(self, fingerprint: str) -> list[Result]:
        return [result for _, result in reversed(self.all) if result.fingerprint == fingerprint]

    def latest(self, pipeline: str, stage: str) -> Result | None:
        fits = [result for _, result in self.all if (result.pipeline, result.stage) == (pipeline, stage)]
        return fits[-1] if fits else None

    def has_head(self, head: str) -> bool:
        return any(known == head for known, _ in self.all)

    def is_overwritten(self, result: Result) -> bool:
        return result.number in self.overwritten


class World:
    """A policy, and what it decides by."""

    def __init__(self) -> None:
        self.dependencies = MadeUpDependencies()
        self.known = Known()

    def policy(self, **rules: Any) -> ReusePolicy:
        return ReusePolicy("p", self.dependencies, self.known, **rules)

    def of(self, stage: PlannedStage, made: Mapping[str, Made] | None = None, **more: Any) -> Judgement:
        """What becomes of a stage."""
        rules = {name: more.pop(name) for name in ("forced", "finished") if name in more}
        params = more.pop("params", stage.params)
        return self.policy(**rules).decide(stage, params, made or {}, **more)

    def ran(self, stage: PlannedStage, made: Mapping[str, Made] | None = None, **more: Any) -> Result:
        """The stage came to a result, whose outputs are now in their places and in the store."""
        params = more.pop("params", stage.params)
        fingerprint = self.policy().fingerprints.of(stage, params, made or {})
        number = len(self.known.all) + 1
        outputs: dict[str, Any] = {}
        for name, item in stage.outputs.items():
            digest = f"{number}-{name}"
            outputs[name] = Artifact(path=item.path, sha256=digest)
            if item.kind == "external":
                outputs[name] = Artifact(path=item.path, external=True)
            else:
                self.dependencies.files[item.path] = digest
                self.dependencies.kept.add(digest)
        result = Result(
            number=number,
            pipeline=more.pop("pipeline", "p"),
            stage=stage.id,
            run=f"run-{number}",
            attempt=1,
            at=float(number),
            fingerprint=fingerprint.digest,
            parts=fingerprint.parts,
            outputs=outputs,
            **more,
        )
        self.known.all.append((fingerprint.head, result))
        return result


@pytest.fixture
def world() -> World:
    return World()


def stage(**values: Any) -> PlannedStage:
    given = {
        "id": "s",
        "stage": "s",
        "notebook": "n.ipynb",
        "outputs": {"out": PlannedOutput(path="out/a.csv")},
    }
    return PlannedStage(**(given | values))


def plain(*paths: str, many: bool = False) -> PlannedInput:
    return PlannedInput(paths=paths, many=many or len(paths) > 1, sources=("",) * len(paths))


def of(*pairs: tuple[str, str]) -> PlannedInput:
    """An input that stages make: pairs of a stage and a path."""
    paths = tuple(path for _, path in pairs if path)
    return PlannedInput(paths=paths, many=len(pairs) > 1, sources=tuple(source for source, _ in pairs))


def is_run(found: Judgement, *reasons: str) -> bool:
    return found.decision is Decision.RUN and found.reasons == reasons


def is_reuse(found: Judgement, *reasons: str) -> bool:
    return found.decision is Decision.REUSE and found.reasons == reasons


# -- reuse ----------------------------------------------------------------------------------------


def test_what_never_ran_runs(world: World) -> None:
    assert is_run(world.of(stage()), "no result yet")


def test_what_did_not_change_is_reused(world: World) -> None:
    result = world.ran(stage(params={"a": 1}))
    found = world.of(stage(params={"a": 1}))
    assert is_reuse(found, "nothing changed")
    assert (found.result, found.restores, found.changes) == (result, (), ())


def test_an_earlier_result_is_taken_again_and_restored(world: World) -> None:
    outputs = {"out": PlannedOutput(path="out/a.csv"), "more": PlannedOutput(path="out/b.csv")}
    first = world.ran(stage(params={"a": 1}, outputs=outputs))
    world.ran(stage(params={"a": 2}, outputs=outputs))
    found = world.of(stage(params={"a": 1}, outputs=outputs))
    assert is_reuse(found, "as in the run run-1", "restores out/a.csv and 1 more")
    assert (found.result, found.restores) == (first, ("out/a.csv", "out/b.csv"))


def test_a_result_of_another_stage_will_do(world: World) -> None:
    world.ran(stage(id="other"))
    found = world.of(stage(outputs={"out": PlannedOutput(path="out/else/a.csv")}))
    assert is_reuse(found, "as in the run run-1", "restores out/else/a.csv")
    assert found.result is not None
    assert made_by(stage(), found.result).outputs == {"out/a.csv": "1-out"}


@pytest.mark.parametrize("there", [None, "by hand"])
def test_an_output_that_is_not_as_it_was_comes_out_of_the_store(world: World, there: str | None) -> None:
    world.ran(stage())
    world.dependencies.files |= {"out/a.csv": there} if there else {}
    if not there:
        del world.dependencies.files["out/a.csv"]
    over = " over a change that no run made" if there else ""
    assert is_reuse(world.of(stage()), "nothing changed", f"restores out/a.csv{over}")
    world.dependencies.files |= {"out/a.csv": "of-another"} if there else {}
    world.dependencies.kept.add("of-another")
    assert is_reuse(world.of(stage()), "nothing changed", "restores out/a.csv"), "another run made it"
    world.dependencies.kept.clear()
    assert is_run(world.of(stage()), "its output 'out/a.csv' is not there any more, and not in the store")


def test_of_results_that_are_equal_one_that_can_be_had_is_taken(world: World) -> None:
    first = world.ran(stage())
    world.ran(stage())
    world.dependencies.files["out/a.csv"] = "by hand"
    world.dependencies.kept.remove("2-out")
    found = world.of(stage())
    assert found.result == first
    assert found.reasons[0] == "as in the run run-1"


def test_an_output_that_the_result_does_not_have_is_not_there(world: World) -> None:
    result = world.ran(stage())
    world.known.all[0] = (world.known.all[0][0], dataclasses.replace(result, outputs={}))
    assert world.of(stage()).decision is Decision.RUN


def test_a_file_is_not_a_folder_with_the_same_hash(world: World) -> None:
    result = world.ran(stage())
    world.dependencies.files["out/a.csv"] = "1-out/"  # a folder whose list has the hash of the file
    assert is_reuse(world.of(stage()), "nothing changed", "restores out/a.csv")
    folder = dataclasses.replace(
        result, outputs={"out": Artifact(path="out/a.csv", sha256="1-out", folder=True)}
    )
    world.known.all[0] = (world.known.all[0][0], folder)
    assert is_reuse(world.of(stage()), "nothing changed")
    assert made_by(stage(), folder).outputs == {"out/a.csv": "1-out/"}
    assert Artifact(path="x", external=True).content is None


# -- what changed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.dependencies.codes.update({"n.ipynb": Code(cells=("c1", "c9"), numbers=(1, 3))}), "cell 3 changed"),
        (lambda w: w.dependencies.files.update({"data/a.csv": "new"}), "data/a.csv changed (input data)"),
        (lambda w: w.dependencies.files.pop("data/a.csv"), "data/a.csv changed (input data)"),
        (lambda w: w.dependencies.env.update({"REGION": "x"}), "the environment variable REGION is set now"),
        (lambda w: w.dependencies.libraries.update({"pandas": "3.1"}), "pandas 3.0 → 3.1"),
    ],
)  # fmt: skip
def test_the_reason_names_what_changed(world: World, change: Any, reason: str) -> None:
    world.dependencies.files["data/a.csv"] = "old"
    code = Code(cells=("c1", "c2"), numbers=(1, 3), imports=frozenset({"pandas"}))
    world.dependencies.codes["n.ipynb"] = code
    one = stage(inputs={"data": plain("data/a.csv")}, env=("REGION",))
    world.ran(one)
    assert is_reuse(world.of(one), "nothing changed")
    change(world)
    world.dependencies.codes["n.ipynb"] = dataclasses.replace(
        world.dependencies.code("n.ipynb", None), imports=code.imports
    )
    found = world.of(one)
    assert is_run(found, reason)
    assert [item.text for item in found.changes] == [reason]
    assert found.fingerprint is not None


def test_modules_and_files_are_named_with_the_way_to_them(world: World) -> None:
    def code(digest: str) -> Code:
        module = LocalFile(path="helpers/base.py", digest=digest, chain=("cell 3", "helpers", "helpers.base"))
        script = LocalFile(path="setup.py", digest=digest, chain=("cell 1", "setup.py"))
        return Code(cells=("c1",), modules=(module,), files=(script,))

    world.dependencies.codes["n.ipynb"] = code("1")
    world.ran(stage())
    world.dependencies.codes["n.ipynb"] = code("2")
    assert world.of(stage()).reasons == (
        "helpers/base.py changed (cell 3 → helpers → helpers.base)",
        "setup.py changed (cell 1 → setup.py)",
    )


def test_a_parameter_is_named_with_its_values(world: World) -> None:
    world.ran(stage(params={"depth": 4, "seed": 1}))
    assert world.of(stage(params={"depth": 8, "seed": 1})).reasons == ("depth: 4 → 8",)


def test_a_list_of_one_path_is_not_the_path(world: World) -> None:
    world.dependencies.files["data/a.csv"] = "old"
    world.ran(stage(inputs={"data": plain("data/a.csv")}))
    found = world.of(stage(inputs={"data": plain("data/a.csv", many=True)}))
    assert is_run(found, "the input data is a list of paths now")


def test_a_file_that_is_the_stages_own_output_does_not_count(world: World) -> None:
    def code(digest: str) -> Code:
        paths = ("out/a.csv", "out/folder/x.csv", "out/folders.csv")
        return Code(cells=(), files=tuple(LocalFile(path=path, digest=digest, chain=()) for path in paths))

    own = {"out": PlannedOutput(path="out/a.csv"), "folder": PlannedOutput(path="out/folder")}
    world.dependencies.codes["n.ipynb"] = code("1")
    world.ran(stage(outputs=own))
    world.dependencies.codes["n.ipynb"] = code("2")
    assert world.of(stage(outputs=own)).reasons == ("out/folders.csv changed",)


def test_a_reason_is_given_where_nothing_can_be_named(world: World) -> None:
    result = world.ran(stage())
    head, _ = world.known.all[0]
    world.known.all[0] = (head, dataclasses.replace(result, fingerprint="of another version"))
    assert is_run(world.of(stage()), "its last result cannot be reused")


def test_a_notebook_that_cannot_be_read_runs_and_tells(world: World) -> None:
    world.ran(stage())
    world.dependencies.codes["n.ipynb"] = NotebookUnreadable("is not JSON")
    found = world.of(stage())
    assert is_run(found, "'n.ipynb' is not JSON")
    assert found.fingerprint is None


def test_in_process_the_kernel_is_this_python(world: World) -> None:
    world.of(stage(kernel="other"))
    world.of(stage(kernel="other", executor="inprocess"))
    assert world.dependencies.kernels == [("n.ipynb", "other"), ("n.ipynb", "")]


# -- what a person says ---------------------------------------------------------------------------


def test_what_is_forced_runs(world: World) -> None:
    world.ran(stage())
    found = world.of(stage(), forced={"s"})
    assert is_run(found, "forced")
    assert found.fingerprint is not None, "its result can be reused"
    assert world.of(stage(), forced={"other"}).decision is Decision.REUSE


@pytest.mark.parametrize(
    ("values", "why"),
    [({}, "cache: false"), ({"trigger": "all_done"}, "trigger: all_done")],
)
def test_what_is_not_to_be_reused_runs_every_time(world: World, values: dict[str, Any], why: str) -> None:
    one = stage(cache=False, **values)
    world.ran(one)
    assert is_run(world.of(one), f"{why}: it runs every time")


def test_what_was_accepted_says_why(world: World) -> None:
    world.ran(stage())
    world.dependencies.codes["n.ipynb"] = Code(cells=("c9",))
    accepted = world.ran(stage(), because="only the plot changed")
    found = world.of(stage())
    assert is_reuse(found, "accepted: only the plot changed")
    assert found.result == accepted
    world.dependencies.codes["n.ipynb"] = Code(cells=("c1", "c2"))
    assert is_reuse(world.of(stage()), "as in the run run-1", "restores out/a.csv")
    world.dependencies.codes["n.ipynb"] = Code(cells=("c3",))
    assert world.of(stage()).decision is Decision.RUN


def test_what_is_frozen_stays_as_it_is(world: World) -> None:
    one = stage(frozen=True)
    result = world.ran(one, scraps={"rows": {"kind": "json", "value": 3}})
    world.dependencies.files["out/a.csv"] = "by hand"
    world.dependencies.codes["n.ipynb"] = NotebookUnreadable("is not JSON")
    found = world.of(one)
    assert is_reuse(found, "frozen")
    assert found.result is not None
    made = made_by(one, found.result)
    assert (made.outputs, made.scraps) == ({"out/a.csv": "by hand"}, {"rows": 3})
    assert found.result.number == result.number
    assert found.result.fingerprint == "", "it is nobody's result"


def test_what_is_frozen_and_was_never_run_is_taken_as_it_is(world: World) -> None:
    world.dependencies.files["out/a.csv"] = "by hand/"
    found = world.of(stage(frozen=True))
    assert is_reuse(found, "frozen")
    assert found.result is not None
    assert found.result.outputs == {"out": Artifact(path="out/a.csv", sha256="by hand", folder=True)}
    assert found.result.number == 0


def test_what_is_frozen_and_not_there_comes_out_of_the_store(world: World) -> None:
    result = world.ran(stage())
    del world.dependencies.files["out/a.csv"]
    found = world.of(stage(frozen=True))
    assert is_reuse(found, "frozen", "restores out/a.csv")
    assert found.result == result
    world.dependencies.kept.clear()
    found = world.of(stage(frozen=True))
    assert (found.decision, found.reasons) == (Decision.SKIP, ("frozen, and 'out/a.csv' is not there",))


def test_a_list_that_is_not_known_is_waited_for_also_if_frozen(world: World) -> None:
    items = compile_value("${stages.a.scraps.items}")
    found = world.of(stage(foreach=items, outputs={}, frozen=True))
    assert found.decision is Decision.WAIT
    assert found.reasons == ("for each of ${stages.a.scraps.items}",)


# -- resume ---------------------------------------------------------------------------------------


def test_what_a_run_finished_is_not_run_again_whatever_changed(world: World) -> None:
    result = world.ran(stage())
    world.dependencies.codes["n.ipynb"] = Code(cells=("c9",))
    found = world.of(stage(), finished={"s": result}, forced={"s"})
    assert is_reuse(found, "finished in the run run-1")
    assert found.result == result


def test_what_a_run_finished_and_is_gone_is_run_again(world: World) -> None:
    result = world.ran(stage())
    del world.dependencies.files["out/a.csv"]
    found = world.of(stage(), finished={"s": result})
    assert is_reuse(found, "finished in the run run-1", "restores out/a.csv")
    world.dependencies.kept.clear()
    found = world.of(stage(), finished={"s": result})
    assert is_run(found, "its output 'out/a.csv' is not there any more, and not in the store")
    assert found.fingerprint is not None, "what it comes to can be reused"


# -- stages before it -----------------------------------------------------------------------------


BEFORE = {"up": Made(outputs={"x.csv": "d1"}, scraps={"rows": 3})}
AFTER = stage(inputs={"x": of(("up", "x.csv"))}, params={"a": 1}, upstream=("up",))


def test_what_may_change_is_waited_for(world: World) -> None:
    world.ran(AFTER, BEFORE)
    found = world.of(AFTER)
    assert found.decision is Decision.WAIT
    assert found.reasons == ("only if up's output changes",)


def test_what_runs_in_any_case_does_not_wait(world: World) -> None:
    assert is_run(world.of(AFTER), "no result yet")
    world.ran(AFTER, BEFORE)
    other = dataclasses.replace(AFTER, params={"a": 2})
    assert is_run(world.of(other), "a: 1 → 2")


def test_another_input_is_known_before(world: World) -> None:
    """A plain file that changed makes it run, whatever the stages before it come to."""
    world.dependencies.files["data/a.csv"] = "old"
    one = dataclasses.replace(AFTER, inputs={**AFTER.inputs, "data": plain("data/a.csv")})
    world.ran(one, BEFORE)
    assert world.of(one).decision is Decision.WAIT
    world.dependencies.files["data/a.csv"] = "new"
    assert is_run(world.of(one), "data/a.csv changed (input data)")


def test_equal_outputs_leave_the_followers_alone(world: World) -> None:
    world.ran(AFTER, BEFORE)
    again = {"up": Made(outputs={"x.csv": "d1"}, scraps={"rows": 9}, mark="of another run")}
    assert is_reuse(world.of(AFTER, again), "nothing changed")
    other = {"up": Made(outputs={"x.csv": "d2"})}
    assert is_run(world.of(AFTER, other), "x.csv changed (input x)")


def test_equal_names_of_outputs_are_not_enough(world: World) -> None:
    """An early cut-off goes by what outputs hold."""
    world.ran(AFTER, BEFORE)
    assert world.of(AFTER, {"up": Made(outputs={"x.csv": "d1/"})}).decision is Decision.RUN


def test_scraps_are_waited_for(world: World) -> None:
    rows = compile_value("${stages.up.scraps.rows}")
    one = stage(params={"a": 1}, deferred={"rows": rows})
    world.ran(one, BEFORE, params={"a": 1, "rows": 3})
    found = world.policy().decide(one, None, {}, needs=["up"])
    assert (found.decision, found.reasons) == (Decision.WAIT, ("only if up's output changes",))
    assert is_reuse(world.of(one, BEFORE, params={"a": 1, "rows": 3}, needs=["up"]), "nothing changed")
    assert is_run(world.of(one, BEFORE, params={"a": 1, "rows": 4}, needs=["up"]), "rows: 3 → 4")


def test_what_depends_on_the_run_waits_for_it(world: World) -> None:
    one = stage(deferred={"run": compile_value("${run.id}")})
    world.ran(one, params={"run": "r1"})
    found = world.policy().decide(one, None, {})
    assert (found.decision, found.reasons) == (Decision.WAIT, ("depends on the run",))


def test_items_that_are_still_to_come_are_waited_for(world: World) -> None:
    """Of an input there are more sources than paths then."""
    one = stage(inputs={"x": of(("each", ""))})
    world.ran(one, {"each": Made()})
    found = world.of(one)
    assert (found.decision, found.reasons) == (Decision.WAIT, ("only if each's output changes",))


# -- outside of the project -----------------------------------------------------------------------

TABLE = stage(id="load", stage="load", outputs={"table": PlannedOutput(path="db://t", kind="external")})
USER = stage(inputs={"table": of(("load", "db://t"))})


def test_what_was_written_outside_is_taken_as_long_as_it_stands(world: World) -> None:
    result = world.ran(TABLE)
    assert is_reuse(world.of(TABLE), "nothing changed")
    world.known.overwritten.add(result.number)
    assert is_run(world.of(TABLE), "what it wrote outside of the project may have been overwritten since")


def test_going_back_does_not_bring_back_a_table(world: World) -> None:
    first = world.ran(dataclasses.replace(TABLE, params={"a": 1}))
    world.ran(dataclasses.replace(TABLE, params={"a": 2}))
    world.known.overwritten.add(first.number)
    assert world.of(dataclasses.replace(TABLE, params={"a": 1})).decision is Decision.RUN


def test_a_table_of_another_stage_or_pipeline_is_not_taken(world: World) -> None:
    world.ran(TABLE)
    assert world.of(dataclasses.replace(TABLE, id="load@2")).decision is Decision.RUN
    world.known.all.clear()
    world.ran(TABLE, pipeline="q")
    assert world.of(TABLE).decision is Decision.RUN


def test_a_table_is_known_by_the_attempt_that_wrote_it(world: World) -> None:
    """To a follower it is the same in the run that wrote it, in later ones, and if it takes no part."""
    result = world.ran(TABLE)
    outputs = {"table": Artifact(path="db://t", external=True)}
    written = made_of(outputs, {}, mark_of(result.run, "load", 1))
    world.ran(USER, {"load": written})
    later = {"load": made_by(TABLE, result)}
    aside = {"load": world.policy().from_disk(TABLE, {})}
    for made in ({"load": written}, later, aside):
        assert is_reuse(world.of(USER, made), "nothing changed")
    again = {"load": made_of(outputs, {}, mark_of("run-9", "load", 1))}
    assert is_run(world.of(USER, again), "db://t changed (input table)")


@pytest.mark.parametrize("known", [False, True])
def test_of_a_table_that_anybody_may_have_written_nothing_is_known(world: World, known: bool) -> None:
    if known:
        world.known.overwritten.add(world.ran(TABLE).number)
    made = {"load": world.policy().from_disk(TABLE, {})}
    world.ran(USER, made)
    found = world.of(USER, made)
    assert is_run(found, "nobody knows what 'db://t' holds")
    assert found.fingerprint is None, "what it comes to is not reused"


def test_what_ran_for_what_it_did_is_not_done_by_an_older_result(world: World) -> None:
    one, two = stage(outputs={}, params={"to": 1}), stage(outputs={}, params={"to": 2})
    world.ran(one)
    assert is_reuse(world.of(one), "nothing changed")
    world.ran(two)
    assert world.of(one).decision is Decision.RUN
    assert world.of(dataclasses.replace(two, id="other")).decision is Decision.RUN


def test_what_left_scraps_may_be_older(world: World) -> None:
    one, two = stage(outputs={}, params={"to": 1}), stage(outputs={}, params={"to": 2})
    world.ran(one, scraps={"score": {"kind": "json", "value": 1}})
    world.ran(two, scraps={"score": {"kind": "json", "value": 2}})
    assert is_reuse(world.of(one), "as in the run run-1")


def test_what_takes_no_part_leaves_its_outputs_as_they_are(world: World) -> None:
    world.dependencies.files["out/a.csv"] = "by hand"
    outputs = {"out": PlannedOutput(path="out/a.csv"), "more": PlannedOutput(path="out/b.csv")}
    made = world.policy().from_disk(stage(outputs=outputs), {"rows": 3})
    assert made == Made(outputs={"out/a.csv": "by hand", "out/b.csv": "absent"}, scraps={"rows": 3})


# -- while it ran ---------------------------------------------------------------------------------


def fingerprint(
    world: World, one: PlannedStage, made: Mapping[str, Made]
) -> tuple[Fingerprint, dict[str, object]]:
    fingerprints = world.policy().fingerprints
    found = fingerprints.of(one, one.params, made)
    return found, fingerprints.stamps(one, found)


MIXED = stage(inputs={"x": of(("up", "x.csv")), "data": plain("data/a.csv")})


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (lambda w: None, ""),
        (lambda w: w.dependencies.files.update({"data/a.csv": "new"}), "data/a.csv changed (input data)"),
        (lambda w: w.dependencies.files.update({"x.csv": "by hand"}), "x.csv changed"),
        (lambda w: w.dependencies.files.pop("x.csv"), "x.csv changed"),
        (lambda w: w.dependencies.stamps.update({"data/a.csv": 1}), "data/a.csv was written"),
        (lambda w: w.dependencies.stamps.update({"x.csv": 1}), "x.csv was written"),
        (lambda w: w.dependencies.stamps.update({"m.py": 1}), "m.py was written"),
        (lambda w: w.dependencies.stamps.update({"n.ipynb": 1}), ""),  # saved with other outputs
        (lambda w: w.dependencies.codes.update({"n.ipynb": Code(cells=("c9",))}), "cell 1 changed"),
        (
            lambda w: w.dependencies.codes.update({"n.ipynb": NotebookUnreadable("is gone")}),
            "'n.ipynb' is gone",
        ),
    ],
)
def test_what_changes_while_it_runs_is_noticed(world: World, change: Any, remark: str) -> None:
    module = LocalFile(path="m.py", digest="m", chain=())
    world.dependencies.codes["n.ipynb"] = Code(cells=("c1",), modules=(module,))
    world.dependencies.files |= {"data/a.csv": "old", "x.csv": "d1"}
    before, stamps = fingerprint(world, MIXED, BEFORE)
    change(world)
    assert world.policy().fingerprints.what_changed(MIXED, {}, BEFORE, before, stamps) == remark
    assert world.dependencies.forgotten


def test_a_table_does_not_change_by_not_being_a_file(world: World) -> None:
    made = {"load": Made(mark="r load 1")}
    before, stamps = fingerprint(world, USER, made)
    assert world.policy().fingerprints.what_changed(USER, {}, made, before, stamps) == ""
