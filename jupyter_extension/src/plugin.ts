/** The plugin: it puts the parts together. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IToolbarWidgetRegistry, Notification } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { Api } from './services/api';
import { addStage, askBecause, confirmAttach, prepareKernel } from './app/dialogs';
import { Badge } from './views/badge';
import { ChangesView } from './views/changes';
import { addCommands, MENU, type Places, say } from './app/commands';
import type { Context } from './views/context';
import { ExecutedDrive, executedOf } from './services/executed-drive';
import { GraphView } from './views/graph';
import { HistoryView } from './views/runs';
import { LogView } from './views/log';
import { ExecutedNotebooks, openAt, openNotebook } from './app/documents';
import { StagesPanel } from './views/panel';
import { Store } from './services/store';

const ID = '@stagebook/lab:plugin';
const NBDIME = 'nbdime:diff-checkpoint'; // a command of nbdime's extension, where it is installed

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Shows and drives pipelines of notebooks, live.',
  autoStart: true,
  requires: [IDocumentManager],
  optional: [
    ITranslator,
    ICommandPalette,
    ILayoutRestorer,
    IToolbarWidgetRegistry,
    INotebookTracker,
    ISettingRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    docs: IDocumentManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    toolbars: IToolbarWidgetRegistry | null,
    notebooks: INotebookTracker | null,
    settings: ISettingRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load('stagebook');
    const { serverSettings, contents } = app.serviceManager;
    const api = new Api(serverSettings);
    const store = new Store(api);
    contents.addDrive(new ExecutedDrive(api, serverSettings));
    const executed = new ExecutedNotebooks(docs, store);

    /** Show a view of the main area; one that is there already is brought to the front. */
    const show = (id: string, make: () => Widget): void => {
      const widget = [...app.shell.widgets('main')].find(one => one.id === id) ?? make();
      if (!widget.isAttached) {
        app.shell.add(widget, 'main');
      }
      app.shell.activateById(id);
    };
    const openStage = (stage: string): NotebookPanel | undefined => {
      const path = store.view(stage)?.notebook;
      return path ? (docs.openOrReveal(path, 'Notebook') as NotebookPanel | undefined) : undefined;
    };

    const places: Places = {
      openPanel: () => app.shell.activateById('stagebook-panel'),
      openGraph: () => show('stagebook-graph', () => new GraphView(context)),
      openHistory: () => show('stagebook-history', () => new HistoryView(context)),
      openPipelineFile: (line = 0, column = 0, path = store.pipeline?.path) => {
        if (path !== undefined && !path.startsWith('-')) {
          openAt(docs, path, line, column);
        }
      },
      openNotebook: stage => openNotebook(docs, store, stage),
      openExecuted: stage => executed.open(stage),
      openExecutedOf: info => void executed.openOf(info),
      openFailing: stage => {
        executed.openFailing(stage).catch(say);
      },
      openLog: stage => {
        const info = store.view(stage)?.info;
        if (info?.has_notebook) {
          const of = { project: store.projectPath, run: info.run, stage, attempt: info.attempt };
          const isRunning = (): boolean => {
            const now = store.view(stage)?.info;
            return now?.run === info.run && now.attempt === info.attempt && now.status === 'running';
          };
          const log = new LogView(api, of, isRunning);
          show(log.id, () => log);
        }
      },
      openChanges: stage => show(`stagebook-changes-${stage}`, () => new ChangesView(context, stage)),
      openMlflow: (runs, stage = '') => {
        // Opened at once: a browser lets no page be opened later than its click.
        const page = window.open('', '_blank');
        const waiting = Notification.emit(trans.__('Starting MLflow …'), 'in-progress', { autoClose: false });
        api
          .mlflow({ project: store.projectPath, runs, stage })
          .then(reply => {
            if (page !== null) {
              page.opener = null;
              page.location.href = reply.url;
            }
            const text = reply.found
              ? trans.__('MLflow is at %1', reply.url)
              : trans.__('MLflow has not been told of it yet; it is at %1', reply.url);
            Notification.update({ id: waiting, message: text, type: 'success', autoClose: 5000 });
          })
          .catch((error: unknown) => {
            page?.close();
            Notification.dismiss(waiting);
            say(error);
          });
      },
      canCompareNotebooks: () => app.commands.hasCommand(NBDIME),
      // Its command for two notebooks does nothing (3.0.4); its server's page does.
      compareNotebooks: (base, remote) => {
        const page = URLExt.join(app.serviceManager.serverSettings.baseUrl, 'nbdime/difftool');
        window.open(page + URLExt.objectToQueryString({ base, remote }), '_blank', 'noopener');
      },
      prepare: async stage => {
        const panel = openStage(stage);
        if (panel !== undefined) {
          await prepareKernel(panel, `${store.pipeline?.name ?? ''}/${stage}`, store.order.texts);
        }
      },
      attach: async stage => {
        const run = store.view(stage)?.info?.run;
        if (run !== undefined && (await confirmAttach(trans, stage))) {
          const kernel = await api.kernel(run, { project: store.projectPath, stage });
          const path = store.view(stage)?.notebook ?? '';
          const open = docs.findWidget(path, 'Notebook') as NotebookPanel | undefined;
          if (open === undefined) {
            docs.open(path, 'Notebook', { id: kernel.id }); // no other one is started for it
          } else {
            app.shell.activateById(open.id);
            await open.sessionContext.ready;
            await open.sessionContext.changeKernel({ id: kernel.id });
          }
        }
      },
      accept: async stage => {
        const because = await askBecause(trans, stage);
        const pipeline = store.pipeline?.key;
        if (because !== null && pipeline !== undefined) {
          const { texts } = store.order;
          await api.accept({ project: store.projectPath, pipeline, stages: [stage], because, texts });
          store.planAnew();
        }
      },
      canAddStage: () => {
        const path = notebooks?.currentWidget?.context.path ?? '';
        const isOwn = store.projectPath === '' || path.startsWith(`${store.projectPath}/`);
        return path !== '' && isOwn && executedOf(path) === null && store.pipeline !== null;
      },
      addStage: async isNew => {
        const path = isNew ? '' : (notebooks?.currentWidget?.context.path ?? '');
        const added = await addStage(store, trans, path);
        if (added !== null) {
          openAt(docs, added.path, added.line, 3);
          if (isNew) {
            docs.openOrReveal(added.notebook);
          }
        }
      }
    };
    const context: Context = {
      store,
      trans,
      actions: addCommands(app, store, places, trans, palette)
    };

    const panel = new StagesPanel(context);
    app.shell.add(panel, 'left', { rank: 300 });
    restorer?.add(panel, 'stagebook-panel');
    MENU.forEach((group, at) => {
      for (const selector of ['.sb-Line', '.sb-Node']) {
        group.forEach((command, rank) =>
          app.contextMenu.addItem({ command, selector, rank: at * 100 + rank })
        );
        if (at > 0) {
          app.contextMenu.addItem({ type: 'separator', selector, rank: at * 100 - 1 });
        }
      }
    });
    toolbars?.addFactory<NotebookPanel>(
      'Notebook',
      'stagebook-badge',
      notebook => new Badge(context, app.commands, notebook)
    );
    if (settings !== null && notebooks !== null) {
      prepareOnStart(settings, notebooks, store);
    }

    contents.fileChanged.connect((_, change) => {
      const path = change.type === 'save' ? change.newValue?.path : undefined;
      if (path !== undefined) {
        store.fileSaved(path);
      }
    });
    void app.restored.then(() => store.refresh());
  }
};

/** Where the setting says so, prepare each new kernel of a notebook that is a stage. */
function prepareOnStart(settings: ISettingRegistry, notebooks: INotebookTracker, store: Store): void {
  void settings.load(ID).then(loaded => {
    notebooks.widgetAdded.connect((_, panel) => {
      panel.sessionContext.kernelChanged.connect((_context, { newValue }) => {
        const [stage] = store.stagesOf(panel.context.path);
        if (newValue !== null && stage && loaded.get('prepareKernels').composite === true) {
          const name = `${stage.pipeline.name}/${stage.stage.name}`;
          prepareKernel(panel, name, store.order.texts, true).catch(say);
        }
      });
    });
  });
}

export default plugin;
