/** What the commands and views open or change in JupyterLab. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { executedOf } from '../services/executed-drive';
import type { Store } from '../services/store';
import { ChangesView } from '../views/changes';
import type { Actions, Context } from '../views/context';
import { GraphView } from '../views/graph';
import { LogView } from '../views/log';
import { RunsView } from '../views/runs';
import { addStage, askBecause, confirmAttach, confirmSave } from './dialogs';
import { ExecutedNotebooks, hasEdits, openAt, openNotebook, saveEdits } from './documents';
import { prepareKernel } from './kernels';
import { openBadgeMenu } from './menus';

const NBDIME = 'nbdime:diff-checkpoint'; // a command of nbdime's extension, where it is installed

/** The actions that need JupyterLab, and what only commands do. */
export type Places = Omit<Actions, 'runAll' | 'run' | 'runDraft' | 'resume' | 'cancel' | 'refresh'> & {
  readonly openPanel: () => void;
  readonly prepare: (stage: string) => Promise<void>;
  readonly attach: (stage: string) => Promise<void>;
  readonly accept: (stage: string) => Promise<void>;
  /** Add the notebook in front, or a new one, as a stage. */
  readonly addStage: (isNew: boolean) => Promise<void>;
  readonly canAddStage: () => boolean;
};

export interface Parts {
  readonly app: JupyterFrontEnd;
  readonly docs: IDocumentManager;
  readonly notebooks: INotebookTracker | null;
  readonly store: Store;
  readonly trans: TranslationBundle;
  /** The context of the views; it is complete once a view is opened. */
  readonly context: () => Context;
}

/** Tell the user why something was refused. */
export function say(error: unknown): void {
  Notification.error(error instanceof Error ? error.message : String(error), { autoClose: 8000 });
}

export function makePlaces(parts: Parts): Places {
  const { app, docs, notebooks, store, context } = parts;
  const executed = new ExecutedNotebooks(docs, store, notebooks);
  const show = (id: string, make: () => Widget): void => showInMain(app, id, make);
  return {
    say,
    openPanel: () => app.shell.activateById('stagebook-panel'),
    openGraph: () => show('stagebook-graph', () => new GraphView(context())),
    openRuns: () => show('stagebook-runs', () => new RunsView(context())),
    openChanges: stage => show(`stagebook-changes-${stage}`, () => new ChangesView(context(), stage)),
    openLog: stage => {
      const log = logOf(store, stage);
      if (log !== null) {
        show(log.id, () => log);
      }
    },
    openMenu: (stage, node) => openBadgeMenu(app.commands, stage, node),
    openPipelineFile: (line = 0, column = 0, path = store.pipeline?.path) => {
      // Mistakes in parameters have `-p` in the place of a path.
      if (path !== undefined && !path.startsWith('-')) {
        openAt(docs, path, line, column).catch(say);
      }
    },
    openNotebook: stage => openNotebook(docs, store, stage),
    openExecuted: stage => executed.open(stage),
    openExecutedOf: info => void executed.openOf(info),
    openFailing: stage => {
      executed.openFailing(stage).catch(say);
    },
    openMlflow: (runs, stage = '') => openMlflow(parts, runs, stage),
    canCompareNotebooks: () => app.commands.hasCommand(NBDIME),
    // nbdime's command for two notebooks does nothing (3.0.4); the page of its server does.
    compareNotebooks: (base, remote) => {
      const page = URLExt.join(app.serviceManager.serverSettings.baseUrl, 'nbdime/difftool');
      window.open(page + URLExt.objectToQueryString({ base, remote }), '_blank', 'noopener');
    },
    prepare: async stage => {
      const path = store.view(stage)?.notebook;
      const panel = path ? (docs.openOrReveal(path, 'Notebook') as NotebookPanel | undefined) : undefined;
      if (panel !== undefined) {
        await prepareKernel(panel, `${store.pipeline?.name ?? ''}/${stage}`, store.planner.draft.texts);
      }
    },
    attach: stage => attach(parts, stage),
    accept: stage => accept(parts, stage),
    canAddStage: () => canAddStage(parts),
    addStage: async isNew => {
      const path = isNew ? '' : (parts.notebooks?.currentWidget?.context.path ?? '');
      const file = store.pipeline?.path ?? '';
      // The stage is added to the file: edits that were not saved would undo that later.
      if (hasEdits(docs, file)) {
        if (!(await confirmSave(parts.trans, file))) {
          return;
        }
        await saveEdits(docs, file);
      }
      const added = await addStage(store, parts.trans, path);
      if (added !== null) {
        await openAt(docs, added.path, added.line, 3);
        if (isNew) {
          docs.openOrReveal(added.notebook);
        }
      }
    }
  };
}

/** Show a view of the main area; one that is there already is brought to the front. */
function showInMain(app: JupyterFrontEnd, id: string, make: () => Widget): void {
  const widget = [...app.shell.widgets('main')].find(one => one.id === id) ?? make();
  if (!widget.isAttached) {
    app.shell.add(widget, 'main');
  }
  app.shell.activateById(id);
}

function logOf(store: Store, stage: string): LogView | null {
  const info = store.view(stage)?.info;
  if (!info?.has_notebook) {
    return null;
  }
  const { run, attempt } = info;
  const isRunning = (): boolean => {
    const now = store.view(stage)?.info;
    return now?.run === run && now.attempt === attempt && now.status === 'running';
  };
  return new LogView(store.api, { project: store.projectPath, run, stage, attempt }, isRunning);
}

function openMlflow({ store, trans }: Parts, runs: readonly string[], stage: string): void {
  // Opened at once: a browser lets no page be opened later than its click.
  const page = window.open('', '_blank');
  const waiting = Notification.emit(trans.__('Starting MLflow …'), 'in-progress', { autoClose: false });
  store.api
    .mlflow({ project: store.projectPath, runs, stage })
    .then(reply => {
      if (page !== null) {
        page.opener = null;
        page.location.href = reply.url;
      }
      const text = reply.found
        ? trans.__('MLflow is at %1', reply.url)
        : trans.__('MLflow does not know the run yet; MLflow is at %1', reply.url);
      Notification.update({ id: waiting, message: text, type: 'success', autoClose: 5000 });
    })
    .catch((error: unknown) => {
      page?.close();
      Notification.dismiss(waiting);
      say(error);
    });
}

async function attach({ app, docs, store, trans }: Parts, stage: string): Promise<void> {
  const run = store.view(stage)?.info?.run;
  if (run === undefined || !(await confirmAttach(trans, stage))) {
    return;
  }
  const kernel = await store.api.kernel(run, { project: store.projectPath, stage });
  const path = store.view(stage)?.notebook ?? '';
  const open = docs.findWidget(path, 'Notebook') as NotebookPanel | undefined;
  if (open === undefined) {
    docs.open(path, 'Notebook', { id: kernel.id }); // with this kernel, so no other one is started
  } else {
    app.shell.activateById(open.id);
    await open.sessionContext.ready;
    await open.sessionContext.changeKernel({ id: kernel.id });
  }
}

async function accept({ store, trans }: Parts, stage: string): Promise<void> {
  const because = await askBecause(trans, stage);
  const pipeline = store.pipeline?.key;
  if (because !== null && pipeline !== undefined) {
    const { texts } = store.planner.draft;
    await store.api.accept({ project: store.projectPath, pipeline, stages: [stage], because, texts });
    store.planner.planSoon();
  }
}

/** Whether the notebook in front is one of the project, and no executed one. */
function canAddStage({ notebooks, store }: Parts): boolean {
  const path = notebooks?.currentWidget?.context.path ?? '';
  const isOwn = store.projectPath === '' || path.startsWith(`${store.projectPath}/`);
  return path !== '' && isOwn && executedOf(path) === null && store.pipeline !== null;
}
