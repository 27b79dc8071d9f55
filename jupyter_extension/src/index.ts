/** The plugin: it puts the parts together. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from './api';
import { addCommands, IDS, type Places } from './commands';
import type { Context } from './context';
import { ExecutedDrive } from './drive';
import { GraphView } from './graph';
import { ExecutedNotebooks, openAt, openNotebook } from './opening';
import { StagesPanel } from './panel';
import { Store } from './store';

const plugin: JupyterFrontEndPlugin<void> = {
  id: '@stagebook/lab:plugin',
  description: 'Shows and drives pipelines of notebooks, live.',
  autoStart: true,
  requires: [IDocumentManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    docs: IDocumentManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('stagebook');
    const { serverSettings, contents } = app.serviceManager;
    const api = new Api(serverSettings);
    const store = new Store(api);
    contents.addDrive(new ExecutedDrive(api, serverSettings));
    const executed = new ExecutedNotebooks(docs, store);
    let graph: GraphView | null = null;

    const places: Places = {
      openPanel: () => app.shell.activateById('stagebook-panel'),
      openGraph: () => {
        if (graph === null || graph.isDisposed) {
          graph = new GraphView(context);
        }
        if (!graph.isAttached) {
          app.shell.add(graph, 'main');
        }
        app.shell.activateById(graph.id);
      },
      openPipelineFile: (line = 0, column = 0, path = store.pipeline?.path) => {
        if (path !== undefined && !path.startsWith('-')) {
          openAt(docs, path, line, column);
        }
      },
      openNotebook: stage => openNotebook(docs, store, stage),
      openExecuted: stage => executed.open(stage)
    };
    const context: Context = {
      store,
      trans,
      actions: addCommands(app, store, places, trans, palette)
    };

    const panel = new StagesPanel(context);
    app.shell.add(panel, 'left', { rank: 300 });
    restorer?.add(panel, 'stagebook-panel');

    contents.fileChanged.connect((_, change) => {
      const path = change.type === 'save' ? change.newValue?.path : undefined;
      if (path !== undefined) {
        store.fileSaved(path);
      }
    });
    void app.restored.then(() => store.refresh());
  }
};

export { IDS };
export default plugin;
