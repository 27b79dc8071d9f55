/** The commands, and the actions of the views that are the same. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon, type LabIcon } from '@jupyterlab/ui-components';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { RunLauncher } from '../services/run-launcher';
import type { Store } from '../services/store';
import type { Actions } from '../views/context';
import { stagebookIcon } from '../views/icon';
import { environmentIcon, figureIcon, gridIcon, incidentIcon, scheduleIcon } from '../views/icons';
import type { RunRequest } from '../wire';
import { IDS } from './command-ids';
import { confirmKill } from './running';
import type { Places } from './places';

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

interface Parts {
  readonly app: JupyterFrontEnd;
  readonly store: Store;
  readonly launcher: RunLauncher;
  readonly places: Places;
  readonly trans: TranslationBundle;
  readonly palette: ICommandPalette | null;
}

/** A command about the pipeline. */
interface PipelineCommand {
  readonly id: string;
  readonly label: string;
  readonly execute: () => unknown;
  readonly isEnabled?: () => boolean;
  readonly icon?: LabIcon;
}

/** A command about one stage, an instance or a stage of several. */
interface StageCommand {
  readonly id: string;
  readonly label: string;
  readonly execute: (stage: string) => unknown;
  readonly isEnabled?: (stage: string) => boolean;
}

/** Add the commands. Returns the actions of the views. */
export function addCommands(parts: Parts): Actions {
  const { app, store, palette } = parts;
  const actions = actionsOf(parts);
  for (const { id, label, execute, isEnabled = () => true, ...shown } of pipelineCommands(parts, actions)) {
    app.commands.addCommand(id, { label, execute, isEnabled, ...shown, describedBy: { args: NOTHING } });
    palette?.addItem({ command: id, category: 'Stagebook' });
  }
  const stageOf = (args: ReadonlyPartialJSONObject): string | null =>
    (typeof args['stage'] === 'string' ? args['stage'] : store.selected)?.replace(/\/$/, '') ?? null;
  const isKnown = (stage: string): boolean =>
    store.views.some(view => view.id === stage || view.stage === stage);
  for (const { id, label, execute, isEnabled = () => true } of stageCommands(parts, actions)) {
    app.commands.addCommand(id, {
      label,
      execute: args => {
        const stage = stageOf(args);
        return stage === null ? undefined : execute(stage);
      },
      isEnabled: args => {
        const stage = stageOf(args);
        return stage !== null && isKnown(stage) && isEnabled(stage);
      },
      describedBy: { args: STAGE }
    });
    palette?.addItem({ command: id, category: 'Stagebook' });
  }
  store.changed.connect(() => app.commands.notifyCommandChanged());
  return actions;
}

/** Start a run with the parameters of the form. */
function start(
  { store, launcher, places }: Parts,
  request: Omit<RunRequest, 'pipeline' | 'project' | 'texts' | 'sweep' | 'interval'>
): void {
  const { draft, isSweep } = store.planner;
  const { texts, interval } = draft;
  launcher.start({ ...request, texts, interval, sweep: isSweep }).catch(places.say);
}

function actionsOf(parts: Parts): Actions {
  const { store, launcher, places } = parts;
  return {
    ...places,
    runAll: () => start(parts, {}),
    run: (scope, stage) => {
      const requests = { to: { stages: [stage] }, from: { start: [stage] }, only: { only: [stage] } };
      start(parts, requests[scope]);
    },
    runDraft: () => {
      launcher.startDraft().catch(places.say);
    },
    resume: (failedOnly, run) => {
      launcher.resume(failedOnly, run).catch(places.say);
    },
    cancel: () => {
      launcher.cancel().catch(places.say);
    },
    kill: () => {
      confirmKill(parts.trans)
        .then(isWanted => (isWanted ? launcher.kill() : undefined))
        .catch(places.say);
    },
    refresh: () => void store.refresh()
  };
}

function pipelineCommands(parts: Parts, actions: Actions): PipelineCommand[] {
  const { store, launcher, places, trans } = parts;
  const canStart = (): boolean => launcher.canStart;
  const canResume = (): boolean => launcher.canStart && launcher.resumable !== undefined;
  const hasPipeline = (): boolean => store.pipeline !== null;
  return [
    {
      id: IDS.home,
      label: trans.__('Stagebook'),
      execute: () => places.openHome(),
      icon: stagebookIcon
    },
    {
      id: IDS.openPanel,
      label: trans.__('Show the Stages Panel'),
      execute: () => places.openPanel(),
      icon: stagebookIcon
    },
    {
      id: IDS.openGraph,
      label: trans.__('Open the Pipeline Graph'),
      execute: () => places.openGraph(),
      icon: stagebookIcon
    },
    {
      id: IDS.openRuns,
      label: trans.__('Open the Runs'),
      execute: () => places.openRuns(),
      icon: historyIcon
    },
    {
      id: IDS.openEnvironments,
      label: trans.__('Open the Environments'),
      execute: () => places.openEnvironments(),
      icon: environmentIcon
    },
    {
      id: IDS.openTimeline,
      label: trans.__('Open the Runs over Time'),
      execute: () => places.openTimeline(),
      icon: gridIcon
    },
    {
      id: IDS.openSchedules,
      label: trans.__('Open the Schedules'),
      execute: () => places.openSchedules(),
      icon: scheduleIcon
    },
    {
      id: IDS.openIncidents,
      label: trans.__('Open the Incidents'),
      execute: () => places.openIncidents(),
      icon: incidentIcon
    },
    {
      id: IDS.openFigures,
      label: trans.__('Open the Figures'),
      execute: () => places.openFigures(),
      icon: figureIcon
    },
    {
      id: IDS.backfill,
      label: trans.__('Backfill the Pipeline …'),
      execute: () => {
        store.backfills.show(true);
        places.openTimeline();
      },
      isEnabled: hasPipeline
    },
    { id: IDS.refresh, label: trans.__('Look for Pipelines Again'), execute: () => actions.refresh() },
    {
      id: IDS.openPipeline,
      label: trans.__('Open the Pipeline File'),
      execute: () => places.openPipelineFile(),
      isEnabled: hasPipeline
    },
    {
      id: IDS.runAll,
      label: trans.__('Run All Stages'),
      execute: () => actions.runAll(),
      isEnabled: canStart
    },
    {
      id: IDS.runAgain,
      label: trans.__('Run All Stages Although Nothing Changed'),
      execute: () => start(parts, { force: true }),
      isEnabled: canStart
    },
    {
      id: IDS.runForm,
      label: trans.__('Run with Parameters, Stages and Options …'),
      execute: () => places.openRunForm(),
      isEnabled: hasPipeline
    },
    {
      id: IDS.resume,
      label: trans.__('Resume the Last Run'),
      execute: () => actions.resume(false),
      isEnabled: canResume
    },
    {
      id: IDS.retry,
      label: trans.__('Retry What Failed in the Last Run'),
      execute: () => actions.resume(true),
      isEnabled: () => canResume() && launcher.resumable?.status === 'failed'
    },
    {
      id: IDS.cancel,
      label: trans.__('Cancel the Run'),
      execute: () => actions.cancel(),
      isEnabled: () => store.liveRun !== undefined && !launcher.isCancelling
    },
    {
      id: IDS.kill,
      label: trans.__('End the Run at Once …'),
      execute: () => actions.kill(),
      isEnabled: () => launcher.isCancelling
    },
    {
      id: IDS.editCell,
      label: trans.__('Edit This Cell of the Executed Notebook'),
      execute: () => actions.editCell()
    },
    {
      id: IDS.newStage,
      label: trans.__('New Stage …'),
      execute: () => places.addStage(true).catch(places.say),
      isEnabled: hasPipeline
    },
    {
      id: IDS.addStage,
      label: trans.__('Add This Notebook as a Stage …'),
      execute: () => places.addStage(false).catch(places.say),
      isEnabled: () => places.canAddStage()
    }
  ];
}

function stageCommands(parts: Parts, actions: Actions): StageCommand[] {
  const { store, launcher, places, trans } = parts;
  const canStart = (): boolean => launcher.canStart;
  const hasNotebook = (stage: string): boolean => Boolean(store.view(stage)?.notebook);
  const isNotebook = (stage: string): boolean => hasNotebook(stage) && store.view(stage)?.program === '';
  const hasRun = (stage: string): boolean => store.view(stage)?.info?.has_notebook === true;
  const ofRun: StageCommand[] = [
    { id: IDS.runTo, label: trans.__('Run to This Stage'), execute: stage => actions.run('to', stage) },
    { id: IDS.runFrom, label: trans.__('Run from This Stage'), execute: stage => actions.run('from', stage) },
    { id: IDS.runOnly, label: trans.__('Run Only This Stage'), execute: stage => actions.run('only', stage) },
    {
      id: IDS.runForced,
      label: trans.__('Run Only This Stage Although Nothing Changed'),
      execute: stage => start(parts, { only: [stage], force: true })
    }
  ];
  return [
    ...ofRun.map(command => ({ ...command, isEnabled: canStart })),
    {
      id: IDS.choose,
      label: trans.__('Choose This Stage for a Run'),
      execute: stage => store.planner.toggle(stage)
    },
    {
      id: IDS.accept,
      label: trans.__('Take the Outputs of the Stage as They Are …'),
      execute: stage => places.accept(stage).catch(places.say),
      isEnabled: stage => launcher.canStart && store.view(stage)?.state === 'stale'
    },
    {
      id: IDS.openNotebook,
      label: trans.__('Open the Notebook or Program of the Stage'),
      execute: stage => places.openNotebook(stage),
      isEnabled: hasNotebook
    },
    {
      id: IDS.openExecuted,
      label: trans.__('Open the Executed Notebook of the Stage'),
      execute: stage => places.openExecuted(stage),
      isEnabled: hasRun
    },
    {
      id: IDS.openFailing,
      label: trans.__('Open at the Failing Cell'),
      execute: stage => places.openFailing(stage),
      isEnabled: stage =>
        store.view(stage)?.info?.cause === 'exception' && hasRun(stage) && store.view(stage)?.program === ''
    },
    {
      id: IDS.editFailing,
      label: trans.__('Edit the Cell That Failed'),
      execute: stage => places.editFailing(stage),
      isEnabled: stage => store.view(stage)?.info?.cause === 'exception' && hasRun(stage) && isNotebook(stage)
    },
    {
      id: IDS.openLog,
      label: trans.__('Open the Log of the Stage'),
      execute: stage => places.openLog(stage),
      isEnabled: hasRun
    },
    {
      id: IDS.openChanges,
      label: trans.__('Show What Changed in the Stage'),
      execute: stage => places.openChanges(stage),
      isEnabled: stage => store.view(stage) !== undefined
    },
    {
      id: IDS.openMlflow,
      label: trans.__('Open the Stage in MLflow'),
      execute: stage => {
        const run = store.view(stage)?.info?.run;
        places.openMlflow(run === undefined ? [] : [run], stage);
      },
      isEnabled: hasRun
    },
    {
      id: IDS.openContract,
      label: trans.__('Open the Stage in the Pipeline File'),
      execute: stage => {
        const name = store.view(stage)?.stage ?? stage;
        const found = store.pipeline?.stages.find(one => one.name === name);
        places.openPipelineFile(found?.line, found?.column);
      }
    },
    {
      id: IDS.connect,
      label: trans.__('Use an Output of Another Stage as an Input …'),
      execute: stage => actions.connect(null, store.view(stage)?.stage ?? stage),
      isEnabled: isNotebook
    },
    {
      id: IDS.showStage,
      label: trans.__('Show the Stage in the Graph'),
      execute: stage => {
        places.openGraph();
        store.show(stage);
      }
    },
    {
      id: IDS.prepare,
      label: trans.__('Prepare the Kernel with the Parameters of the Stage'),
      execute: stage => places.prepare(stage).catch(places.say),
      isEnabled: isNotebook
    },
    {
      id: IDS.attach,
      label: trans.__('Use the Kernel That the Failed Stage Left'),
      execute: stage => places.attach(stage).catch(places.say),
      isEnabled: stage => store.view(stage)?.info?.kept_kernel === true
    }
  ];
}
