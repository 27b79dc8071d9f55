/** Opening documents: the notebook of a stage, the executed one, a place in a file. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IDocumentWidget } from '@jupyterlab/docregistry';
import type { INotebookTracker, Notebook, NotebookPanel } from '@jupyterlab/notebook';

import { type Executed, executedOf, executedPath } from '../services/executed-drive';
import type { Store } from '../services/store';
import type { StageInfo } from '../wire';
import { type Content, updateNotebook } from './notebook-update';

const NOTEBOOK = 'Notebook'; // Lab's names of its factories
const EDITOR = 'Editor';
const NO_KERNEL = { shouldStart: false, canStart: false, autoStartDefault: false };
const SAVED = 2_500; // milliseconds within which a running notebook is saved again
const RUNNING: ReadonlySet<string> = new Set(['running', 'retrying']);
const SETTLED = { every: 60, looks: 40, still: 5 }; // milliseconds between looks at a cell, and how many

/** Open the notebook or program of a stage: of a command, the place where the pipeline file has it. */
export function openNotebook(docs: IDocumentManager, store: Store, stage: string): void {
  const view = store.view(stage);
  const place = store.pipeline?.stages.find(one => one.name === view?.stage);
  if (view?.program === 'command' && place !== undefined) {
    void openAt(docs, view.notebook, place.line, place.column);
  } else if (view?.notebook) {
    docs.openOrReveal(view.notebook);
  }
}

/** Open a file at a line and column, which count from 1; with what is in the file now, unless somebody edits it here. */
export async function openAt(
  docs: IDocumentManager,
  path: string,
  line: number,
  column: number
): Promise<void> {
  const known = docs.findWidget(path, path.endsWith('.ipynb') ? NOTEBOOK : EDITOR);
  if (known !== undefined) {
    await readAgain(known);
  }
  const widget = docs.openOrReveal(path, path.endsWith('.ipynb') ? NOTEBOOK : EDITOR);
  if (widget === undefined || line <= 0 || path.endsWith('.ipynb')) {
    return;
  }
  await widget.context.ready;
  const { editor } = widget.content as unknown as {
    editor?: {
      readonly lineCount: number;
      setCursorPosition(at: { line: number; column: number }): void;
      focus(): void;
    };
  };
  const last = (editor?.lineCount ?? 1) - 1;
  editor?.setCursorPosition({ line: Math.min(line - 1, last), column: Math.max(0, column - 1) });
  editor?.focus();
}

/** Show what is in the file of an open document now. Edits that were not saved are left alone. */
async function readAgain({ context }: IDocumentWidget): Promise<void> {
  await context.ready;
  if (!context.model.dirty) {
    await context.revert();
  }
}

/** Bring the head of a cell into sight. Until the cells above it are drawn their heights are guesses, so this looks again
 * until the cell stays where it is, or somebody scrolls. */
export async function scrollTo(notebook: Notebook, at: number): Promise<void> {
  const user = new AbortController();
  for (const kind of ['wheel', 'pointerdown', 'keydown']) {
    notebook.node.addEventListener(kind, () => user.abort(), { signal: user.signal, passive: true });
  }
  let [still, last] = [0, Number.NaN];
  for (let look = 0; look < SETTLED.looks && still < SETTLED.still && !user.signal.aborted; look++) {
    const box = notebook.widgets[at]?.node.getBoundingClientRect();
    const place = notebook.outerNode.getBoundingClientRect();
    const isSeen =
      box !== undefined && box.height > 0 && box.top > place.top - 4 && box.top < place.bottom - 60;
    still = isSeen && box.top === last ? still + 1 : 0;
    last = box?.top ?? Number.NaN;
    if (!isSeen) {
      await notebook.scrollToItem(at, 'start').catch(() => undefined); // another scrolling took its place
    }
    await new Promise(resolve => setTimeout(resolve, SETTLED.every));
  }
  user.abort();
}

interface Shown {
  readonly panel: NotebookPanel;
  readonly of: Executed;
  /** The version that is shown; null until it was read once. */
  content: Content | null;
  seen: number | undefined;
  mark: string;
  wasRunning: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The executed notebooks that are open. What running stages add to them is shown as it comes. */
export class ExecutedNotebooks {
  constructor(
    private readonly _docs: IDocumentManager,
    private readonly _store: Store,
    notebooks: INotebookTracker | null
  ) {
    notebooks?.forEach(panel => this._follow(panel));
    notebooks?.widgetAdded.connect((_, panel) => this._follow(panel));
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
    const path = executedPath(this._store.projectPath, info.run, info.id, info.attempt);
    return this._docs.openOrReveal(path, NOTEBOOK, undefined, {}, NO_KERNEL);
  }

  /** Show the executed notebook of a stage at the cell that failed. */
  async openFailing(stage: string): Promise<void> {
    const info = this._store.view(stage)?.info;
    const panel = info ? (this.openOf(info) as NotebookPanel | undefined) : undefined;
    if (panel === undefined) {
      return;
    }
    await panel.context.ready;
    await panel.revealed;
    const at = panel.content.widgets.findIndex(cell => {
      const papermill = cell.model.getMetadata('papermill') as { status?: string } | undefined;
      return papermill?.status === 'failed';
    });
    if (at >= 0) {
      panel.content.activeCellIndex = at;
      await scrollTo(panel.content, at);
    }
  }

  /** Follow a notebook, if it is an executed one. One that JupyterLab opened by itself, after a reload, gets no kernel. */
  private _follow(panel: NotebookPanel): void {
    const of = executedOf(panel.context.path);
    if (of === null) {
      return;
    }
    const { sessionContext } = panel;
    sessionContext.kernelPreference = { ...sessionContext.kernelPreference, ...NO_KERNEL };
    const start = { content: null, seen: undefined, mark: '', wasRunning: false, timer: undefined };
    const shown: Shown = { panel, of, ...start };
    this._shown.add(shown);
    panel.disposed.connect(() => {
      this._shown.delete(shown);
      clearTimeout(shown.timer);
    });
    void panel.context.ready.then(() => this._update());
  }

  /** Read those again whose stage has got further, and once more when all of it is saved. */
  private _update(): void {
    for (const shown of this._shown) {
      const info = this._infoOf(shown.of);
      const mark = info ? `${info.status} ${info.cell}` : shown.mark;
      if (mark === shown.mark || !shown.panel.context.isReady) {
        continue;
      }
      // What had ended when it was opened was read whole.
      if (shown.mark !== '' || RUNNING.has(info?.status ?? '')) {
        this._readSoon(shown, 0);
      }
      shown.mark = mark;
    }
  }

  private _infoOf({ project, run, stage, attempt }: Executed): StageInfo | undefined {
    const { snapshot, projectPath } = this._store;
    if (project !== projectPath) {
      return undefined;
    }
    const infos = [...snapshot.stages.values()].flatMap(group => group.get(stage) ?? []);
    return infos.find(info => info.run === run && info.attempt === attempt);
  }

  private _readSoon(shown: Shown, wait: number): void {
    clearTimeout(shown.timer);
    shown.timer = setTimeout(() => {
      void this._read(shown).then(() => {
        const isRunning = RUNNING.has(this._infoOf(shown.of)?.status ?? '');
        if (!shown.panel.isDisposed && (isRunning || shown.wasRunning)) {
          shown.wasRunning = isRunning; // once more after the end, when all is saved
          this._readSoon(shown, SAVED);
        }
      });
    }, wait);
  }

  private async _read(shown: Shown): Promise<void> {
    const { panel, of } = shown;
    const reply = await this._store.api
      .notebook(of.project, of.run, of.stage, of.attempt, shown.seen)
      .catch(() => null); // a running notebook may not be there yet: the next reading has it
    const content = (reply?.content ?? null) as Content | null;
    if (reply !== null && content !== null && !panel.isDisposed) {
      const { model } = panel.context;
      updateNotebook(model, shown.content ?? (model.toJSON() as unknown as Content), content);
      shown.content = content;
      shown.seen = reply.modified;
    }
  }

  private readonly _shown = new Set<Shown>();
}
