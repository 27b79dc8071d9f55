/** Opening documents: the notebook of a stage, the executed one, a place in a file. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IDocumentWidget } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';

import { executedPath } from '../services/executed-drive';
import type { Store } from '../services/store';
import type { StageInfo } from '../wire';

const NOTEBOOK = 'Notebook'; // Lab's names of its factories
const EDITOR = 'Editor';
const NO_KERNEL = { shouldStart: false, canStart: false, autoStartDefault: false };
const SAVED = 2_500; // milliseconds within which a running notebook is saved again

/** Open the notebook or script of a stage. */
export function openNotebook(docs: IDocumentManager, store: Store, stage: string): void {
  const view = store.view(stage);
  if (view?.notebook) {
    docs.openOrReveal(view.notebook);
  }
}

/** Open a file at a line and column, which count from 1. */
export function openAt(docs: IDocumentManager, path: string, line: number, column: number): void {
  const widget = docs.openOrReveal(path, path.endsWith('.ipynb') ? NOTEBOOK : EDITOR);
  if (widget !== undefined && line > 0 && !path.endsWith('.ipynb')) {
    void widget.context.ready.then(() => {
      const { editor } = widget.content as unknown as {
        editor?: { setCursorPosition(at: { line: number; column: number }): void; focus(): void };
      };
      editor?.setCursorPosition({ line: line - 1, column: Math.max(0, column - 1) });
      editor?.focus();
    });
  }
}

/** The executed notebooks that are open. Those of running stages are read again as cells end. */
export class ExecutedNotebooks {
  constructor(
    private readonly _docs: IDocumentManager,
    private readonly _store: Store
  ) {
    _store.changed.connect(() => this._update());
  }

  /** Show the executed notebook of a stage, read-only and without a kernel. */
  open(stage: string): void {
    const info = this._store.view(stage)?.info;
    if (info) {
      this.openOf(info);
    }
  }

  /** Show the executed notebook of a stage of any run. */
  openOf(info: StageInfo): IDocumentWidget | undefined {
    if (!info.has_notebook) {
      return undefined;
    }
    const stage = info.id;
    const path = executedPath(this._store.projectPath, info.run, stage, info.attempt);
    const isOpen = this._docs.findWidget(path, NOTEBOOK) !== undefined;
    const widget = this._docs.openOrReveal(path, NOTEBOOK, undefined, {}, NO_KERNEL);
    if (widget !== undefined && !isOpen) {
      const key = `${info.run}/${stage}/${info.attempt}`;
      this._open.set(key, { widget, mark: markOf(info) });
      widget.disposed.connect(() => this._open.delete(key));
    }
    return widget;
  }

  /** Show the executed notebook of a stage at the cell that failed. */
  async openFailing(stage: string): Promise<void> {
    const info = this._store.view(stage)?.info;
    const widget = info ? (this.openOf(info) as NotebookPanel | undefined) : undefined;
    if (widget === undefined) {
      return;
    }
    await widget.context.ready;
    await widget.revealed;
    const cells = widget.content.widgets;
    const at = cells.findIndex(cell => {
      const papermill = cell.model.getMetadata('papermill') as { status?: string } | undefined;
      return papermill?.status === 'failed';
    });
    if (at >= 0) {
      widget.content.activeCellIndex = at;
      await widget.content.scrollToItem(at, 'start');
    }
  }

  private _update(): void {
    for (const [key, shown] of this._open) {
      const info = this._store.views.find(
        view => view.info && `${view.info.run}/${view.id}/${view.info.attempt}` === key
      )?.info;
      const mark = info ? markOf(info) : shown.mark;
      if (mark !== shown.mark) {
        shown.mark = mark;
        clearTimeout(shown.later);
        void this._read(shown.widget);
        shown.later = setTimeout(() => void this._read(shown.widget), SAVED);
      }
    }
  }

  private async _read(widget: IDocumentWidget): Promise<void> {
    if (!widget.isDisposed && widget.context.isReady) {
      await widget.context.revert().catch(() => undefined); // a running notebook may be between two saves: the next reading has it
    }
  }

  private readonly _open = new Map<
    string,
    { widget: IDocumentWidget; mark: string; later?: ReturnType<typeof setTimeout> }
  >();
}

function markOf(info: { cell: number; status: string }): string {
  return `${info.status} ${info.cell}`;
}
