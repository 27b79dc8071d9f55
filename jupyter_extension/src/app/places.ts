/** What the commands and views open or change in JupyterLab. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { executedOf } from '../services/executed-drive';
import type { LogOf } from '../services/log-reader';
import type { Store } from '../services/store';
import type { Actions, Context } from '../views/context';
import { askForInput, askForStage } from './authoring';
import { approve, deploy, rollBack } from './deployments';
import { askBecause, askText, confirmAttach } from './dialogs';
import { editCell, editFailing } from './edit-cell';
import { ExecutedNotebooks, openAt, openNotebook } from './documents';
import { prepareKernel } from './kernels';
import { openBadgeMenu, openRunMenu } from './menus';
import { openMlflow } from './mlflow';
import type { Tabs } from './tabs';

const NBDIME = 'nbdime:diff-checkpoint'; // a command of nbdime's extension, where it is installed

/** The actions that need JupyterLab, and what only commands do. */
export type Places = Omit<
  Actions,
  'runAll' | 'run' | 'runDraft' | 'resume' | 'cancel' | 'kill' | 'refresh'
> & {
  readonly openPanel: () => void;
  /** Show the panel and the graph: the graph. */
  readonly openHome: () => Promise<Widget>;
  readonly prepare: (stage: string) => Promise<void>;
  readonly attach: (stage: string) => Promise<void>;
  readonly accept: (stage: string) => Promise<void>;
  readonly canAddStage: () => boolean;
};

export interface Parts {
  readonly app: JupyterFrontEnd;
  readonly docs: IDocumentManager;
  readonly notebooks: INotebookTracker | null;
  readonly store: Store;
  readonly trans: TranslationBundle;
  readonly tabs: Tabs;
  readonly context: () => Context;
}

/** Tell the user why something was refused. */
export function say(error: unknown): void {
  Notification.error(error instanceof Error ? error.message : String(error), { autoClose: 8000 });
}

export function makePlaces(parts: Parts): Places {
  const { app, docs, notebooks, store, tabs } = parts;
  const executed = new ExecutedNotebooks(docs, store, notebooks);
  return {
    say,
    openPanel: () => app.shell.activateById('stagebook-panel'),
    openHome: () => {
      app.shell.activateById('stagebook-panel');
      return tabs.open({ kind: 'graph' });
    },
    showInGraph: (pipeline, stage) => {
      const found = store.pipelines.find(one => one.name === pipeline);
      if (found !== undefined && found.key !== store.pipeline?.key) {
        store.openPipeline(found.key);
      }
      app.shell.activateById('stagebook-panel');
      void tabs.open({ kind: 'graph' });
      if (stage !== null) {
        store.show(stage);
      }
    },
    openGraph: () => void tabs.open({ kind: 'graph' }),
    openRuns: () => void tabs.open({ kind: 'runs' }),
    openRunForm: () => void tabs.open({ kind: 'form' }),
    openRunMenu: node => openRunMenu(app.commands, node),
    openChanges: stage => void tabs.open({ kind: 'changes', stage }),
    openLog: stage => {
      const log = logOf(store, stage);
      if (log !== null) {
        void tabs.open({ kind: 'log', ...log });
      }
    },
    openMenu: (stage, node) => openBadgeMenu(app.commands, stage, node),
    openPipelineFile: (line = 0, column = 0, path = store.pipeline?.path) => {
      // Mistakes in parameters have `-p` in the place of a path.
      if (path !== undefined && !path.startsWith('-')) {
        openAt(docs, path, line, column).catch(say);
      }
    },
    openFile: path => {
      docs.openOrReveal([store.projectPath, path].filter(Boolean).join('/'));
    },
    openNotebook: stage => openNotebook(docs, store, stage),
    openEnvironments: () => void tabs.open({ kind: 'environments' }),
    openTimeline: () => void tabs.open({ kind: 'timeline' }),
    openSchedules: () => void tabs.open({ kind: 'schedules' }),
    openIncidents: () => void tabs.open({ kind: 'incidents' }),
    openFigures: () => void tabs.open({ kind: 'figures' }),
    ask: question => askText(parts.trans, question),
    deploy: (environment, act) => void deploy(parts, environment, act).catch(say),
    approve: (environment, proposal, act) => void approve(parts, environment, proposal, act).catch(say),
    rollBack: (environment, version, act) => void rollBack(parts.trans, environment, version, act).catch(say),
    draftContract: dataset => {
      const request = { project: store.projectPath, pipeline: store.pipeline?.key ?? '', dataset };
      store.api
        .draft(request)
        .then(reply => openAt(docs, reply.path, 1, 1))
        .then(() => store.planner.planSoon())
        .catch(say);
    },
    openExecuted: stage => executed.open(stage),
    openExecutedOf: info => void executed.openOf(info),
    openLogOf: ({ run, id, attempt }) =>
      void tabs.open({ kind: 'log', project: store.projectPath, run, stage: id, attempt }),
    openFailing: stage => {
      executed.openFailing(stage).catch(say);
    },
    editCell: () => void editCell(parts).catch(say),
    editFailing: stage => void editFailing(parts, stage).catch(say),
    openMlflow: (runs, stage = '') => openMlflow(parts, runs, stage, say),
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
    addStage: isNew => {
      const path = isNew ? '' : (parts.notebooks?.currentWidget?.context.path ?? '');
      return askForStage(parts.context(), docs, path);
    },
    connect: (from, to) => void askForInput(parts.context(), docs, from, to).catch(say)
  };
}

function logOf(store: Store, stage: string): LogOf | null {
  const info = store.view(stage)?.info;
  return info?.has_notebook
    ? { project: store.projectPath, run: info.run, stage, attempt: info.attempt }
    : null;
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
