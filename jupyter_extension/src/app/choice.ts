/** Which project and pipeline are shown, kept over a reload. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IStateDB } from '@jupyterlab/statedb';

import type { Choice, Store } from '../services/store';

const KEY = 'stagebook:choice';

/** Show what was chosen before a reload, and keep what is chosen from now on. */
export async function keepChoice(app: JupyterFrontEnd, store: Store, state: IStateDB | null): Promise<void> {
  const [kept] = await Promise.all([state?.fetch(KEY).catch(() => undefined), app.restored]);
  const wanted = choiceOf(kept);
  let saved = JSON.stringify(wanted);
  store.changed.connect(() => {
    const { choice } = store;
    const now = JSON.stringify(choice);
    if (choice !== null && now !== saved) {
      saved = now;
      void state?.save(KEY, { ...choice });
    }
  });
  await store.refresh(wanted);
}

function choiceOf(kept: unknown): Choice | undefined {
  const { project, pipeline } = (kept ?? {}) as Partial<Record<keyof Choice, unknown>>;
  return typeof project === 'string' && typeof pipeline === 'string' ? { project, pipeline } : undefined;
}
