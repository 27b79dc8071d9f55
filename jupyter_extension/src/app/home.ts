/** Where people find Stagebook: the launcher, the status bar, and the first opening of a project. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ILauncher } from '@jupyterlab/launcher';
import type { IStatusBar } from '@jupyterlab/statusbar';
import type { IStateDB } from '@jupyterlab/statedb';

import type { Choice, Store } from '../services/store';
import type { Context } from '../views/context';
import { StatusItem } from '../views/status-item';
import { IDS } from './command-ids';

const KEY = '@stagebook/lab:choice'; // `stagebook:` is the namespace of the tabs: their restorer removes what is no tab

/** A card in the launcher, and an item in the status bar. */
export function addToLab(context: Context, launcher: ILauncher | null, statusBar: IStatusBar | null): void {
  launcher?.add({ command: IDS.home, category: 'Stagebook', rank: 0 });
  statusBar?.registerStatusItem('@stagebook/lab:status', {
    item: new StatusItem(context),
    align: 'left',
    rank: 10
  });
}

/**
 * Show what was chosen before a reload, and keep what is chosen from now on. Where nothing was kept, `welcome` is called once
 * there is a pipeline.
 */
export async function keepChoice(
  app: JupyterFrontEnd,
  store: Store,
  state: IStateDB | null,
  welcome: () => void
): Promise<void> {
  const [kept] = await Promise.all([state?.fetch(KEY).catch(() => undefined), app.restored]);
  const wanted = choiceOf(kept);
  let saved = JSON.stringify(wanted);
  let isNew = wanted === undefined && state !== null;
  store.changed.connect(() => {
    const { choice } = store;
    const now = JSON.stringify(choice);
    if (choice === null || now === saved) {
      return;
    }
    saved = now;
    void state?.save(KEY, { ...choice });
    if (isNew) {
      isNew = false;
      welcome();
    }
  });
  await store.refresh(wanted);
}

function choiceOf(kept: unknown): Choice | undefined {
  const { project, pipeline, stage } = (kept ?? {}) as Partial<Record<keyof Choice, unknown>>;
  return typeof project === 'string' && typeof pipeline === 'string'
    ? { project, pipeline, stage: typeof stage === 'string' ? stage : null }
    : undefined;
}
