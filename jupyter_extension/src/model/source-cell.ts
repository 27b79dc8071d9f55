/** The cell of a notebook that a cell of an executed one came from. */

export interface CellMark {
  readonly id: string;
  readonly source: string;
  /** Whether the run put it in, with the parameters. */
  readonly isInjected: boolean;
}

/** A cell of a notebook as it is in its file. */
export interface PlainCell {
  readonly id?: string;
  readonly source: string;
  readonly metadata: { readonly tags?: unknown; readonly papermill?: unknown };
}

/** What tells the cells of a notebook from each other. */
export function marksOfCells(cells: readonly PlainCell[]): CellMark[] {
  return cells.map(({ id, source, metadata: { tags } }) => ({
    id: id ?? '',
    source,
    isInjected: Array.isArray(tags) && tags.includes('injected-parameters')
  }));
}

/** The index of the cell that failed, as papermill marks it; -1 where none did. */
export function failedCell(cells: readonly PlainCell[]): number {
  return cells.findIndex(
    cell => (cell.metadata.papermill as { status?: unknown } | undefined)?.status === 'failed'
  );
}

/**
 * The index in `source` of the cell that is at `at` in `executed`: by its id, or else by its text, or else by its place. For the
 * parameters that the run put in it is the cell before. -1 where there is none.
 */
export function sourceCell(executed: readonly CellMark[], at: number, source: readonly CellMark[]): number {
  const cell = executed[at];
  if (cell === undefined || source.length === 0) {
    return -1;
  }
  if (cell.isInjected) {
    return at === 0 ? 0 : sourceCell(executed, at - 1, source);
  }
  const same = source.findIndex(other => other.id === cell.id);
  if (same >= 0) {
    return same;
  }
  const alike = source.findIndex(other => other.source === cell.source);
  if (alike >= 0) {
    return alike;
  }
  const injected = executed.slice(0, at).filter(other => other.isInjected).length;
  return Math.min(at - injected, source.length - 1);
}
