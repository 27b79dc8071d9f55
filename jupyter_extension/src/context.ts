/** What all views share. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Store } from './store';

/** What a view can ask for; each is also a command. */
export interface Actions {
  readonly runAll: () => void;
  readonly resume: () => void;
  readonly cancel: () => void;
  readonly refresh: () => void;
  readonly openGraph: () => void;
  readonly openPipelineFile: (line?: number, column?: number, path?: string) => void;
  readonly openNotebook: (stage: string) => void;
  readonly openExecuted: (stage: string) => void;
  readonly run: (how: 'to' | 'from' | 'only', stage: string) => void;
}

export interface Context {
  readonly store: Store;
  readonly actions: Actions;
  readonly trans: TranslationBundle;
}
