import type { IStateDB } from '@jupyterlab/statedb';
import { expect, test } from 'vitest';

import { Memory } from '../src/services/memory';

test('a choice is kept, and what is none counts as not chosen', async () => {
  const kept = new Map<string, unknown>();
  const state = {
    fetch: (id: string) => Promise.resolve(kept.get(id)),
    save: (id: string, value: unknown) => Promise.resolve(kept.set(id, value))
  } as unknown as IStateDB;
  const memory = new Memory(state);
  expect(await memory.get('width', 340)).toBe(340);
  memory.set('width', 425);
  expect(await memory.get('width', 340)).toBe(425);
  expect(await memory.get('width', 'wide')).toBe('wide');
  // JupyterLab would take it for a tab, and remove it.
  expect([...kept.keys()].filter(key => key.startsWith('stagebook:'))).toEqual([]);
});

test('without a state, or with one that cannot be read, nothing is kept', async () => {
  const broken = { fetch: () => Promise.reject(new Error('no')) } as unknown as IStateDB;
  expect(await new Memory(broken).get('width', 340)).toBe(340);
  const none = new Memory(null);
  none.set('width', 1);
  expect(await none.get('width', 340)).toBe(340);
});
