"""Which modules a fork server imports ahead: those of the notebooks that are known to be safe."""

from __future__ import annotations

from collections.abc import Container, Iterable

# Distributions that start no threads and open nothing when they are imported (measured with the
# versions of the lock; the fork server looks again, and leaves out what does). Names of packages.
SAFE = frozenset(
    {
        "numpy", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "scrapbook", "papermill", "nbformat",
        "mlflow", "joblib", "statsmodels", "patsy", "sympy", "networkx", "PIL", "seaborn", "altair", "plotly",
        "jinja2", "pydantic", "yaml", "requests", "openpyxl", "sqlalchemy", "xarray", "shapely", "pyproj",
        "lxml", "bs4", "nltk", "duckdb", "tabulate", "tqdm", "rich", "pytz", "dateutil",
    }
)  # fmt: skip

# What a package imports only when it is first used that way, and nearly always is.
_MORE = {
    "pandas": (
        "pandas",
        "pandas.io.parquet",
        "pandas.io.formats.format",
        "pyarrow.parquet",
        "pyarrow.dataset",
    ),
    "pyarrow": ("pyarrow", "pyarrow.parquet"),
    "scrapbook": ("scrapbook", "scrapbook.api"),
}


def modules_to_import(imports: Iterable[str], local: Container[str]) -> tuple[str, ...]:
    """Of the dotted names that notebooks import, those to import ahead, in a stable order. A package that the
    project shadows with a module of its own (`local`) is left out."""
    chosen: dict[str, None] = {}
    for name in sorted(imports):
        package = name.partition(".")[0]
        if package in SAFE and package not in local:
            chosen |= dict.fromkeys([*_MORE.get(package, ()), name])
    return tuple(chosen)
