import type { IStateDB } from '@jupyterlab/statedb';
import { expect, test } from 'vitest';

import { Memory } from '../src/services/memory';

test('a choice is kept, where JupyterLab does not take it for a tab', async () => {
  const kept = new Map<string, unknown>();
  const state = {
    fetch: (id: string) => Promise.resolve(kept.get(id)),
    save: (id: string, value: unknown) => Promise.resolve(kept.set(id, value))
  } as unknown as IStateDB;
  expect(await new Memory(state).recall('width')).toBeUndefined();
  new Memory(state).keep('width', 425);
  expect(await new Memory(state).recall('width')).toBe(425);
  expect([...kept.keys()].filter(key => key.startsWith('stagebook:'))).toEqual([]);
});

test('without a state, or with one that cannot be read, nothing outlives a reload', async () => {
  const broken = { fetch: () => Promise.reject(new Error('no')) } as unknown as IStateDB;
  expect(await new Memory(broken).recall('width')).toBeUndefined();
  const none = new Memory(null);
  none.keep('width', 1);
  expect(await none.recall('width')).toBe(1);
  expect(await new Memory(null).recall('width')).toBeUndefined();
});
