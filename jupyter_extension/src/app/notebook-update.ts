/** Showing what an executed notebook has come to, without drawing again what is shown already. */

import type { INotebookModel } from '@jupyterlab/notebook';

import { isSame, type Output, outputUpdate } from '../model/output-updates';

/** A notebook as the server sends it. */
export interface Content {
  readonly cells: readonly Cell[];
}

interface Cell {
  readonly id?: string;
  readonly cell_type: string;
  readonly source: string;
  readonly metadata: object;
  readonly execution_count?: number | null;
  readonly outputs?: readonly Output[];
}

/** What JupyterLab's model of a code cell has for it. */
interface CodeCell {
  executionCount: number | null;
  readonly outputs: {
    add(output: Output): number;
    set(index: number, output: Output): void;
    fromJSON(outputs: readonly Output[]): void;
  };
}

type SharedCells = Parameters<INotebookModel['sharedModel']['insertCells']>[1];

/** Turn the cells of `before`, which the model has, into those of `now`. Only what differs is touched. */
export function updateNotebook(model: INotebookModel, before: Content, now: Content): void {
  const [old, next] = [before.cells, now.cells];
  const shorter = Math.min(old.length, next.length);
  let head = 0;
  while (head < shorter && isSameCell(old[head], next[head])) {
    head += 1;
  }
  let tail = 0;
  while (tail < shorter - head && isSameCell(old[old.length - 1 - tail], next[next.length - 1 - tail])) {
    tail += 1;
  }
  if (old.length > head + tail) {
    model.sharedModel.deleteCellRange(head, old.length - tail);
  }
  if (next.length > head + tail) {
    model.sharedModel.insertCells(head, next.slice(head, next.length - tail) as unknown as SharedCells);
  }
  const moved = next.length - old.length;
  for (const [at, cell] of next.entries()) {
    const was = at < head ? old[at] : at >= next.length - tail ? old[at - moved] : undefined;
    if (was !== undefined && was !== cell) {
      updateCell(model, at, was, cell);
    }
  }
  model.dirty = false; // it is what was read
}

/** Whether two versions are of one cell. Notebooks of old formats have no ids. */
function isSameCell(one: Cell | undefined, other: Cell | undefined): boolean {
  return one?.id === other?.id && one?.cell_type === other?.cell_type;
}

function updateCell(model: INotebookModel, at: number, was: Cell, cell: Cell): void {
  const shown = model.cells.get(at);
  if (was.source !== cell.source) {
    shown.sharedModel.setSource(cell.source);
  }
  if (!isSame(was.metadata, cell.metadata)) {
    shown.sharedModel.setMetadata(cell.metadata);
  }
  if (cell.cell_type !== 'code') {
    return;
  }
  const code = shown as unknown as CodeCell;
  if (was.execution_count !== cell.execution_count) {
    code.executionCount = cell.execution_count ?? null;
  }
  if (isSame(was.outputs, cell.outputs)) {
    return;
  }
  const update = outputUpdate(was.outputs ?? [], cell.outputs ?? []);
  if (update === null) {
    code.outputs.fromJSON(cell.outputs ?? []);
    return;
  }
  for (const [index, output] of update.replaced) {
    code.outputs.set(index, output);
  }
  for (const output of update.added) {
    code.outputs.add(output);
  }
}
