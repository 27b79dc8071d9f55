/** The commands, and the actions of the views, which are the same. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { type ICommandPalette, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Actions } from './context';
import { stagebookIcon } from './icon';
import type { Store } from './store';
import type { RunRequest } from './wire';

export const IDS = {
  openPanel: 'stagebook:open-panel',
  openGraph: 'stagebook:open-graph',
  refresh: 'stagebook:refresh',
  openPipeline: 'stagebook:open-pipeline-file',
  openNotebook: 'stagebook:open-notebook',
  openExecuted: 'stagebook:open-executed-notebook',
  runAll: 'stagebook:run-all',
  runTo: 'stagebook:run-to-here',
  runFrom: 'stagebook:run-from-here',
  runOnly: 'stagebook:run-only-this',
  runForced: 'stagebook:run-all-again',
  resume: 'stagebook:resume',
  cancel: 'stagebook:cancel'
} as const;

const STAGE: ReadonlyJSONObject = {
  type: 'object',
  properties: {
    stage: {
      type: 'string',
      description: 'The stage, such as train@forest-8; by default the one that was chosen last'
    }
  }
};
const NOTHING: ReadonlyJSONObject = { type: 'object', properties: {} };

/** What only the plugin can do. */
export type Places = Pick<Actions, 'openGraph' | 'openPipelineFile' | 'openNotebook' | 'openExecuted'> & {
  readonly openPanel: () => void;
};

/** Say why something was refused. */
export function say(error: unknown): void {
  Notification.error(error instanceof Error ? error.message : String(error), { autoClose: 8000 });
}

/** Add the commands; what they do is handed back for the views. */
export function addCommands(
  app: JupyterFrontEnd,
  store: Store,
  places: Places,
  trans: TranslationBundle,
  palette: ICommandPalette | null
): Actions {
  const start = (request: Omit<RunRequest, 'pipeline' | 'project'>): void => {
    store.start(request).catch(say);
  };
  const canStart = (): boolean =>
    store.pipeline !== null && store.liveRun === undefined && store.planProblem === null && !store.isStarting;
  const stageOf = (args: ReadonlyPartialJSONObject): string | null =>
    typeof args['stage'] === 'string' ? args['stage'] : store.selected;
  const run: Actions['run'] = (how, stage) => {
    const requests = { to: { stages: [stage] }, from: { start: [stage] }, only: { only: [stage] } };
    start(requests[how]);
  };
  const actions: Actions = {
    runAll: () => start({}),
    resume: () => {
      store.resume().catch(say);
    },
    cancel: () => {
      store.cancel().catch(say);
    },
    refresh: () => void store.refresh(),
    openGraph: places.openGraph,
    openPipelineFile: places.openPipelineFile,
    openNotebook: places.openNotebook,
    openExecuted: places.openExecuted,
    run
  };

  const add = (
    id: string,
    label: string,
    execute: (args: ReadonlyPartialJSONObject) => void,
    isEnabled: (args: ReadonlyPartialJSONObject) => boolean = () => true,
    args: ReadonlyJSONObject = NOTHING
  ): void => {
    app.commands.addCommand(id, { label, execute, isEnabled, icon: stagebookIcon, describedBy: { args } });
    palette?.addItem({ command: id, category: 'Stagebook' });
  };
  const addForStage = (
    id: string,
    label: string,
    execute: (stage: string) => void,
    isPossible: (stage: string) => boolean
  ): void => {
    add(
      id,
      label,
      args => {
        const stage = stageOf(args);
        if (stage !== null) {
          execute(stage);
        }
      },
      args => {
        const stage = stageOf(args);
        return stage !== null && store.view(stage) !== undefined && isPossible(stage);
      },
      STAGE
    );
  };

  add(IDS.openPanel, trans.__('Show the Stages Panel'), () => places.openPanel());
  add(IDS.openGraph, trans.__('Open the Pipeline Graph'), () => places.openGraph());
  add(IDS.refresh, trans.__('Look for Pipelines Again'), () => actions.refresh());
  add(
    IDS.openPipeline,
    trans.__('Open the Pipeline File'),
    () => places.openPipelineFile(),
    () => store.pipeline !== null
  );
  add(IDS.runAll, trans.__('Run All Stages'), () => actions.runAll(), canStart);
  add(
    IDS.runForced,
    trans.__('Run All Stages Although Nothing Changed'),
    () => start({ force: true }),
    canStart
  );
  add(
    IDS.resume,
    trans.__('Resume the Last Run'),
    () => actions.resume(),
    () => canStart() && store.resumable !== undefined
  );
  add(
    IDS.cancel,
    trans.__('Cancel the Run'),
    () => actions.cancel(),
    () => store.liveRun !== undefined
  );
  addForStage(IDS.runTo, trans.__('Run to This Stage'), stage => run('to', stage), canStart);
  addForStage(IDS.runFrom, trans.__('Run from This Stage'), stage => run('from', stage), canStart);
  addForStage(IDS.runOnly, trans.__('Run Only This Stage'), stage => run('only', stage), canStart);
  addForStage(
    IDS.openNotebook,
    trans.__('Open the Notebook of the Stage'),
    stage => places.openNotebook(stage),
    stage => Boolean(store.view(stage)?.notebook)
  );
  addForStage(
    IDS.openExecuted,
    trans.__('Open the Executed Notebook of the Stage'),
    stage => places.openExecuted(stage),
    stage => store.view(stage)?.info?.has_notebook === true
  );
  store.changed.connect(() => app.commands.notifyCommandChanged());
  return actions;
}
