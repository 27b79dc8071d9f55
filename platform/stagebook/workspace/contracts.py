"""The contracts of a project: `contracts/PIPELINE.STAGE.OUTPUT.yaml`, or a file that an output names; and the rows that
people released."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from stagebook.contracts.contract import FOLDER
from stagebook.contracts.loader import LoadedContract, load_contract
from stagebook.contracts.released import FOLDER as RELEASED
from stagebook.contracts.released import by_row, read_releases, with_released
from stagebook.errors import Problem

_SUFFIXES = (".yaml", ".yml")


class Contracts:
    """The contracts of the project at `root`, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._loaded: dict[str, LoadedContract] = {}

    @property
    def can_audit(self) -> bool:
        """Whether what audits is installed: DuckDB, which is an extra."""
        return importlib.util.find_spec("duckdb") is not None

    def forget(self) -> None:
        """Look at the files anew."""
        self._loaded.clear()

    def paths(self) -> dict[str, str]:
        """The files in the folder of contracts, by the dataset that each is named after."""
        folder = self.root / FOLDER
        if not folder.is_dir():
            return {}
        return {
            path.stem: f"{FOLDER}/{path.name}"
            for path in sorted(folder.iterdir())
            if path.suffix in _SUFFIXES
        }

    def text(self, path: str) -> bytes:
        """The text of a contract. Raises `OSError`."""
        return (self.root / path).read_bytes()

    def load(self, path: str) -> LoadedContract:
        """The contract in a file of the project; its mistakes come along."""
        if path not in self._loaded:
            try:
                self._loaded[path] = load_contract(self.text(path), path)
            except OSError as error:
                empty = load_contract("", path).contract
                problem = Problem(path=path, message=f"cannot be read: {error.strerror or error}")
                self._loaded[path] = LoadedContract(empty, (problem,))
        return self._loaded[path]

    def load_for(self, dataset: str, path: str) -> LoadedContract:
        """The contract in a file, with the rows of a dataset that were released; the mistakes of both files come along."""
        loaded = self.load(path)
        place = release_path(dataset)
        try:
            text = self.text(place).decode("utf-8", "replace")
        except FileNotFoundError:
            return loaded
        except OSError as error:
            problem = Problem(path=place, message=f"cannot be read: {error.strerror or error}")
            return LoadedContract(loaded.contract, (*loaded.problems, problem))
        found, problems = read_releases(text, place)
        return LoadedContract(with_released(loaded.contract, by_row(found)), (*loaded.problems, *problems))


def release_path(dataset: str) -> str:
    """The file of the rows of a dataset that were released, relative to the project."""
    return f"{RELEASED}/{dataset}.jsonl"
