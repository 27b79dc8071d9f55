/** The commands, and the actions of the views, which are the same. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { type ICommandPalette, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Actions } from '../views/context';
import { stagebookIcon } from '../views/icon';
import type { Store } from '../services/store';
import type { RunRequest } from '../wire';

export const IDS = {
  openPanel: 'stagebook:open-panel',
  openGraph: 'stagebook:open-graph',
  refresh: 'stagebook:refresh',
  openPipeline: 'stagebook:open-pipeline-file',
  openNotebook: 'stagebook:open-notebook',
  openExecuted: 'stagebook:open-executed-notebook',
  openFailing: 'stagebook:open-failing-cell',
  openLog: 'stagebook:open-log',
  openChanges: 'stagebook:open-changes',
  openMlflow: 'stagebook:open-mlflow',
  openContract: 'stagebook:open-stage-in-pipeline-file',
  openHistory: 'stagebook:open-runs',
  showStage: 'stagebook:show-stage',
  runForm: 'stagebook:run-with',
  runAll: 'stagebook:run-all',
  runTo: 'stagebook:run-to-here',
  runFrom: 'stagebook:run-from-here',
  runOnly: 'stagebook:run-only-this',
  runAgain: 'stagebook:run-all-again',
  runForced: 'stagebook:run-only-this-again',
  choose: 'stagebook:choose',
  resume: 'stagebook:resume',
  retry: 'stagebook:retry',
  accept: 'stagebook:accept',
  prepare: 'stagebook:prepare-kernel',
  attach: 'stagebook:use-kept-kernel',
  addStage: 'stagebook:add-notebook-as-stage',
  newStage: 'stagebook:new-stage',
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
const OPENING: ReadonlySet<string> = new Set([IDS.openPanel, IDS.openGraph, IDS.openHistory]);
const NOTHING: ReadonlyJSONObject = { type: 'object', properties: {} };

/** What only the plugin can do. */
export type Places = Omit<
  Actions,
  'runAll' | 'runOrder' | 'resume' | 'cancel' | 'refresh' | 'run' | 'say'
> & {
  readonly openPanel: () => void;
  readonly prepare: (stage: string) => Promise<void>;
  readonly attach: (stage: string) => Promise<void>;
  readonly accept: (stage: string) => Promise<void>;
  /** Add the notebook in front, or a new one, as a stage. */
  readonly addStage: (isNew: boolean) => Promise<void>;
  readonly canAddStage: () => boolean;
};

/** Say why something was refused. */
export function say(error: unknown): void {
  Notification.error(error instanceof Error ? error.message : String(error), { autoClose: 8000 });
}

/** What the context menu of a stage has, in groups. */
export const MENU: readonly (readonly string[])[] = [
  [IDS.runTo, IDS.runFrom, IDS.runOnly, IDS.runForced, IDS.choose],
  [IDS.openNotebook, IDS.openExecuted, IDS.openFailing, IDS.openLog, IDS.openChanges],
  [IDS.openContract, IDS.showStage, IDS.openMlflow, IDS.attach, IDS.accept]
];

/** Add the commands; what they do is handed back for the views. */
export function addCommands(
  app: JupyterFrontEnd,
  store: Store,
  places: Places,
  trans: TranslationBundle,
  palette: ICommandPalette | null
): Actions {
  const start = (request: Omit<RunRequest, 'pipeline' | 'project' | 'texts'>): void => {
    store.start({ ...request, texts: store.order.texts }).catch(say);
  };
  const canStart = (): boolean => store.canStart;
  const stageOf = (args: ReadonlyPartialJSONObject): string | null =>
    (typeof args['stage'] === 'string' ? args['stage'] : store.selected)?.replace(/\/$/, '') ?? null;
  const run: Actions['run'] = (how, stage) => {
    const requests = { to: { stages: [stage] }, from: { start: [stage] }, only: { only: [stage] } };
    start(requests[how]);
  };
  const actions: Actions = {
    ...places,
    say,
    runAll: () => start({}),
    runOrder: () => {
      store.startOrder().catch(say);
    },
    resume: (failedOnly, of) => {
      store.resume(failedOnly, of).catch(say);
    },
    cancel: () => {
      store.cancel().catch(say);
    },
    refresh: () => void store.refresh(),
    run
  };
  const left = (): boolean => canStart() && store.resumable !== undefined;

  const add = (
    id: string,
    label: string,
    execute: (args: ReadonlyPartialJSONObject) => void,
    isEnabled: (args: ReadonlyPartialJSONObject) => boolean = () => true,
    args: ReadonlyJSONObject = NOTHING
  ): void => {
    const icon = OPENING.has(id) ? { icon: stagebookIcon } : {};
    app.commands.addCommand(id, { label, execute, isEnabled, ...icon, describedBy: { args } });
    palette?.addItem({ command: id, category: 'Stagebook' });
  };
  /** An instance, or a stage of several. */
  const isKnown = (stage: string): boolean =>
    store.views.some(view => view.id === stage || view.stage === stage);
  const hasRun = (stage: string): boolean => store.view(stage)?.info?.has_notebook === true;
  const addForStage = (
    id: string,
    label: string,
    execute: (stage: string) => void,
    isPossible: (stage: string) => boolean = () => true
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
        return stage !== null && isKnown(stage) && isPossible(stage);
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
    IDS.runAgain,
    trans.__('Run All Stages Although Nothing Changed'),
    () => start({ force: true }),
    canStart
  );
  add(
    IDS.runForm,
    trans.__('Run with Parameters, Stages and Options …'),
    () => {
      places.openPanel();
      store.setOrdering(true);
    },
    () => store.pipeline !== null
  );
  add(IDS.resume, trans.__('Resume the Last Run'), () => actions.resume(false), left);
  add(
    IDS.retry,
    trans.__('Retry What Failed in the Last Run'),
    () => actions.resume(true),
    () => left() && store.resumable?.status === 'failed'
  );
  add(IDS.openHistory, trans.__('Open the Runs'), () => places.openHistory());
  add(
    IDS.newStage,
    trans.__('New Stage …'),
    () => {
      places.addStage(true).catch(say);
    },
    () => store.pipeline !== null
  );
  add(
    IDS.addStage,
    trans.__('Add This Notebook as a Stage …'),
    () => {
      places.addStage(false).catch(say);
    },
    () => places.canAddStage()
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
    hasRun
  );
  addForStage(
    IDS.runForced,
    trans.__('Run Only This Stage Although Nothing Changed'),
    stage => start({ only: [stage], force: true }),
    canStart
  );
  addForStage(IDS.choose, trans.__('Choose This Stage for a Run'), stage => {
    store.toggle(stage);
    store.setOrdering(true);
  });
  addForStage(
    IDS.openFailing,
    trans.__('Open at the Failing Cell'),
    stage => places.openFailing(stage),
    stage => store.view(stage)?.info?.cause === 'exception' && hasRun(stage)
  );
  addForStage(IDS.openLog, trans.__('Open the Log of the Stage'), stage => places.openLog(stage), hasRun);
  addForStage(
    IDS.openChanges,
    trans.__('Show What Changed in the Stage'),
    stage => places.openChanges(stage),
    stage => store.view(stage) !== undefined
  );
  addForStage(
    IDS.openMlflow,
    trans.__('Open the Stage in MLflow'),
    stage => {
      const run = store.view(stage)?.info?.run;
      places.openMlflow(run === undefined ? [] : [run], stage);
    },
    hasRun
  );
  addForStage(IDS.openContract, trans.__('Open the Stage in the Pipeline File'), stage => {
    const name = store.view(stage)?.stage ?? stage;
    const found = store.pipeline?.stages.find(one => one.name === name);
    places.openPipelineFile(found?.line, found?.column);
  });
  addForStage(IDS.showStage, trans.__('Show the Stage in the Graph'), stage => {
    store.select(stage);
    places.openGraph();
  });
  addForStage(
    IDS.prepare,
    trans.__('Prepare the Kernel with the Parameters of the Stage'),
    stage => {
      places.prepare(stage).catch(say);
    },
    stage => Boolean(store.view(stage)?.notebook)
  );
  addForStage(
    IDS.attach,
    trans.__('Use the Kernel That the Failed Stage Left'),
    stage => {
      places.attach(stage).catch(say);
    },
    stage => store.view(stage)?.info?.kept_kernel === true
  );
  addForStage(
    IDS.accept,
    trans.__('Take the Outputs of the Stage as They Are …'),
    stage => {
      places.accept(stage).catch(say);
    },
    stage => store.canStart && store.view(stage)?.state === 'stale'
  );
  store.changed.connect(() => app.commands.notifyCommandChanged());
  return actions;
}
