"""Which modules the fork server imports ahead."""

from __future__ import annotations

from stagebook.planning.preload import SAFE, modules_to_import


def test_only_what_is_known_to_be_safe_is_imported_ahead() -> None:
    chosen = modules_to_import({"pandas", "torch", "my_helper", "sklearn.linear_model"}, local=())
    assert "pandas" in chosen
    assert "sklearn.linear_model" in chosen
    assert not any(name.startswith(("torch", "my_helper")) for name in chosen)


def test_what_the_project_shadows_is_left_to_the_notebooks() -> None:
    assert modules_to_import({"pandas", "numpy"}, local={"pandas"}) == ("numpy",)


def test_the_order_is_stable_and_each_module_comes_once() -> None:
    names = {"pandas", "pandas.testing", "numpy", "scrapbook"}
    chosen = modules_to_import(names, local=())
    assert chosen == modules_to_import(sorted(names, reverse=True), local=())
    assert len(chosen) == len(set(chosen))


def test_packages_that_start_threads_are_not_among_the_safe_ones() -> None:
    assert SAFE.isdisjoint({"torch", "tensorflow", "polars", "ray", "dask", "jax", "pyspark"})
