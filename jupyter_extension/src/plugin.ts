/** The plugin: it puts the parts together. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addCommands } from './app/commands';
import { followFiles } from './app/follow-files';
import { addToLab, keepChoice } from './app/home';
import { prepareNewKernels } from './app/kernels';
import { addContextMenu } from './app/menus';
import { tellOfRuns } from './app/notices';
import { assistEditors } from './app/pipeline-editors';
import { makePlaces, say } from './app/places';
import { Tabs } from './app/tabs';
import { Api } from './services/api';
import { ExecutedDrive } from './services/executed-drive';
import { Memory } from './services/memory';
import { RunLauncher } from './services/run-launcher';
import { Store } from './services/store';
import { Badge } from './views/badge';
import type { Context } from './views/context';
import { StagesPanel } from './views/panel';

const ID = '@stagebook/lab:plugin';

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
    ISettingRegistry,
    IStateDB,
    ILauncher,
    IStatusBar
  ],
  activate: (
    app: JupyterFrontEnd,
    docs: IDocumentManager,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    toolbars: IToolbarWidgetRegistry | null,
    notebooks: INotebookTracker | null,
    settings: ISettingRegistry | null,
    state: IStateDB | null,
    launcherTab: ILauncher | null,
    statusBar: IStatusBar | null
  ) => {
    const trans = (translator ?? nullTranslator).load('stagebook');
    const { serverSettings, contents } = app.serviceManager;
    const api = new Api(serverSettings);
    const store = new Store(api);
    const launcher = new RunLauncher(api, store);
    contents.addDrive(new ExecutedDrive(api, serverSettings));
    const tabs = new Tabs(app, () => context);
    const places = makePlaces({ app, docs, notebooks, store, trans, tabs, context: () => context });
    const actions = addCommands({ app, store, launcher, places, trans, palette });
    const memory = new Memory(state);
    const context: Context = { store, launcher, memory, trans, actions };

    const panel = new StagesPanel(context);
    app.shell.add(panel, 'left', { rank: 300 });
    if (restorer !== null) {
      restorer.add(panel, 'stagebook-panel');
      tabs.restore(restorer, trans);
    }
    addContextMenu(app);
    followFiles(app, docs, context);
    assistEditors(app, context);
    addToLab(context, launcherTab, statusBar);
    toolbars?.addFactory<NotebookPanel>(
      'Notebook',
      'stagebook-badge',
      notebook => new Badge(context, notebook)
    );
    const loading = settings?.load(ID) ?? Promise.resolve(null);
    void loading.then(loaded => {
      tellOfRuns({ store, launcher, trans, show: places.showInGraph }, loaded);
      if (loaded !== null && notebooks !== null) {
        prepareNewKernels(loaded, notebooks, store, say);
      }
    });
    contents.fileChanged.connect((_, change) => {
      const path = change.type === 'save' ? change.newValue?.path : undefined;
      if (path !== undefined) {
        store.fileSaved(path);
      }
    });
    // What was edited in another window, such as a module, may change what a run would do.
    window.addEventListener('focus', () => store.planner.planSoon());
    void keepChoice(app, store, state, () => void places.openHome());
  }
};

export default plugin;
