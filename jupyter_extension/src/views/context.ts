/** What all views share. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Store } from '../services/store';
import type { StageInfo } from '../wire';

/** What a view can ask for; each is also a command. */
export interface Actions {
  readonly runAll: () => void;
  /** Do what is left of a run, or only what failed and what depends on it. */
  readonly resume: (failedOnly: boolean, run?: string) => void;
  readonly runOrder: () => void;
  readonly cancel: () => void;
  readonly refresh: () => void;
  readonly openGraph: () => void;
  readonly openHistory: () => void;
  readonly openPipelineFile: (line?: number, column?: number, path?: string) => void;
  readonly openNotebook: (stage: string) => void;
  readonly openExecuted: (stage: string) => void;
  readonly openExecutedOf: (info: StageInfo) => void;
  readonly openFailing: (stage: string) => void;
  readonly openLog: (stage: string) => void;
  readonly openChanges: (stage: string) => void;
  /** MLflow's page of runs, or of a stage of one. */
  readonly openMlflow: (runs: readonly string[], stage?: string) => void;
  readonly compareNotebooks: (base: string, remote: string) => void;
  readonly canCompareNotebooks: () => boolean;
  readonly say: (error: unknown) => void;
  readonly run: (how: 'to' | 'from' | 'only', stage: string) => void;
}

export interface Context {
  readonly store: Store;
  readonly actions: Actions;
  readonly trans: TranslationBundle;
}
