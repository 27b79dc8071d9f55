/** From a cell of an executed notebook to the cell of the notebook that it came from. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { type CellMark, failedCell, marksOfCells, type PlainCell, sourceCell } from '../model/source-cell';
import { executedOf } from '../services/executed-drive';
import type { Store } from '../services/store';
import { scrollTo } from './documents';

interface Parts {
  readonly docs: IDocumentManager;
  readonly store: Store;
  readonly notebooks: INotebookTracker | null;
}

/** Open the notebook of the executed one in front, at the cell that is active there. */
export async function editCell(parts: Parts): Promise<void> {
  const executed = parts.notebooks?.currentWidget;
  const path = parts.store.view(executedOf(executed?.context.path ?? '')?.stage ?? null)?.notebook;
  if (executed && path) {
    await goTo(parts, path, marksOf(executed), executed.content.activeCellIndex);
  }
}

/** Open the notebook of a stage at the cell that failed in its last run. */
export async function editFailing(parts: Parts, stage: string): Promise<void> {
  const { store } = parts;
  const view = store.view(stage);
  if (!view?.notebook || !view.info?.has_notebook) {
    return;
  }
  const { run, id, attempt } = view.info;
  const { content } = await store.api.notebook(store.projectPath, run, id, attempt);
  const cells = (content as { cells?: readonly PlainCell[] } | null)?.cells ?? [];
  await goTo(parts, view.notebook, marksOfCells(cells), failedCell(cells));
}

/** Open a notebook at the cell that the one at `at` of its executed version came from. */
async function goTo(
  { docs, notebooks }: Parts,
  path: string,
  executed: readonly CellMark[],
  at: number
): Promise<void> {
  const widget = docs.openOrReveal(path);
  await widget?.context.ready;
  await widget?.revealed;
  const panel = notebooks?.find(one => one === widget);
  if (panel === undefined) {
    return; // a script has no cells to go to
  }
  const found = sourceCell(executed, at, marksOf(panel));
  if (found >= 0) {
    panel.content.activeCellIndex = found;
    await scrollTo(panel.content, found);
    panel.content.mode = 'edit';
  }
}

function marksOf(panel: NotebookPanel): CellMark[] {
  return panel.content.widgets.map(({ model }) => {
    const tags = model.getMetadata('tags') as unknown;
    const isInjected = Array.isArray(tags) && tags.includes('injected-parameters');
    return { id: model.id, source: model.sharedModel.getSource(), isInjected };
  });
}
