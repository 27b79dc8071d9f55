"""Tells Ploomber that the products of a pipeline are up to date: notes what it notes of a task that ended
well, and runs none. It has no command for this.

Runs in Ploomber's own environment, so it imports nothing of this package. `pipeline.yaml` is in the
working directory.
"""

from __future__ import annotations

from ploomber.spec import DAGSpec


def main() -> None:
    """Note it, in the order of the tasks: none may be older than what it comes after."""
    dag = DAGSpec("pipeline.yaml").to_dag()
    dag.render()
    for name in dag:
        task = dag[name]
        task.product.metadata.update(
            source_code=str(task.source), params=task.params.to_json_serializable(params_only=True)
        )


if __name__ == "__main__":
    main()
