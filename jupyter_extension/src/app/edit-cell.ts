/** From a cell of an executed notebook to the cell of the notebook that it came from. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { type CellMark, sourceCell } from '../model/source-cell';
import { executedOf } from '../services/executed-drive';
import type { Store } from '../services/store';
import { scrollTo } from './documents';

/** Open the notebook of the executed one in front, at the cell that is active there. */
export async function editCell(
  docs: IDocumentManager,
  store: Store,
  notebooks: INotebookTracker | null
): Promise<void> {
  const executed = notebooks?.currentWidget;
  const path = store.view(executedOf(executed?.context.path ?? '')?.stage ?? null)?.notebook;
  if (!executed || !path) {
    return;
  }
  const [marks, active] = [marksOf(executed), executed.content.activeCellIndex];
  const widget = docs.openOrReveal(path);
  await widget?.context.ready;
  await widget?.revealed;
  const panel = notebooks.find(one => one === widget);
  if (panel === undefined) {
    return; // a script has no cells to go to
  }
  const at = sourceCell(marks, active, marksOf(panel));
  if (at >= 0) {
    panel.content.activeCellIndex = at;
    await scrollTo(panel.content, at);
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
