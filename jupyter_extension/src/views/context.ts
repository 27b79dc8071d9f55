/** What all views share. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Memory } from '../services/memory';
import type { RunLauncher } from '../services/run-launcher';
import type { Store } from '../services/store';
import type { EnvironmentRequest, StageInfo } from '../wire';

/** Does what was asked about an environment; `what` says so meanwhile. */
export type Act = (what: string, request: Omit<EnvironmentRequest, 'project' | 'target'>) => void;

/** A question with a text as its answer. */
export interface Question {
  readonly title: string;
  readonly label: string;
  /** The label of the button that goes on. */
  readonly goOn: string;
  readonly isNeeded?: boolean;
}

/** What a view can ask the application for. Failures are told to the user. */
export interface Actions {
  readonly runAll: () => void;
  readonly run: (scope: 'to' | 'from' | 'only', stage: string) => void;
  /** Start the run that the form describes. */
  readonly runDraft: () => void;
  /** Do what is left of a run, or only what failed and what depends on it; by default of the last run. */
  readonly resume: (failedOnly: boolean, run?: string) => void;
  /** Ask the run to stop. */
  readonly cancel: () => void;
  /** Ask the person, and end the run at once. */
  readonly kill: () => void;
  readonly refresh: () => void;
  /** Show a stage of a pipeline in the graph, or the graph alone; and the panel. */
  readonly showInGraph: (pipeline: string, stage: string | null) => void;
  /** Open the form for a run. */
  readonly openRunForm: () => void;
  /** Open the menu with the ways to run below an element. */
  readonly openRunMenu: (node: HTMLElement) => void;
  readonly openGraph: () => void;
  readonly openRuns: () => void;
  readonly openEnvironments: () => void;
  readonly openTimeline: () => void;
  readonly openSchedules: () => void;
  readonly openIncidents: () => void;
  readonly openFigures: () => void;
  /** Ask a person why, or what to note; null where they cancel, or say nothing though it `isNeeded`. */
  readonly ask: (question: Question) => Promise<string | null>;
  /** Show what a promotion of the working tree would do, ask, and have it done. */
  readonly deploy: (environment: string, act: Act) => void;
  /** Show what a proposal would do, ask, and have it done. */
  readonly approve: (environment: string, proposal: number, act: Act) => void;
  /** Ask, and have an earlier version shown again. */
  readonly rollBack: (environment: string, version: number, act: Act) => void;
  /** Open the pipeline file, or the file `path`, at a line and column, which count from 1. */
  readonly openPipelineFile: (line?: number, column?: number, path?: string) => void;
  /** Open a file of the project, as JupyterLab shows files of its kind. */
  readonly openFile: (path: string) => void;
  readonly openNotebook: (stage: string) => void;
  /** Draft the contract of an output, `stage.output`, and open it. */
  readonly draftContract: (dataset: string) => void;
  readonly openExecuted: (stage: string) => void;
  readonly openExecutedOf: (info: StageInfo) => void;
  readonly openLogOf: (info: StageInfo) => void;
  readonly openFailing: (stage: string) => void;
  readonly openLog: (stage: string) => void;
  readonly openChanges: (stage: string) => void;
  /** Open the menu of a stage below an element. */
  readonly openMenu: (stage: string, node: HTMLElement) => void;
  /** Open the notebook of the executed one in front, at the cell that is active there. */
  readonly editCell: () => void;
  /** Open the notebook of a stage at the cell that failed. */
  readonly editFailing: (stage: string) => void;
  /** Ask which output, of the stage `from` if there is one, becomes which input of the stage `to`, and write that into the file. */
  readonly connect: (from: string | null, to: string) => void;
  /** Ask for a stage and add it: with the notebook in front, or with `isNew` with one that is chosen or made. */
  readonly addStage: (isNew: boolean) => Promise<void>;
  /** Open MLflow's page of runs, or of a stage of one. */
  readonly openMlflow: (runs: readonly string[], stage?: string) => void;
  readonly compareNotebooks: (base: string, remote: string) => void;
  readonly canCompareNotebooks: () => boolean;
  /** Tell the user of a failure. */
  readonly say: (error: unknown) => void;
}

export interface Context {
  readonly store: Store;
  readonly launcher: RunLauncher;
  readonly actions: Actions;
  /** What somebody chose in a view, kept over a reload. */
  readonly memory: Memory;
  readonly trans: TranslationBundle;
}
