import { expect, test } from 'vitest';

import { filesOf } from '../src/model/files';
import { ordered, type Order, type StageRow, turned } from '../src/model/stage-rows';

const row = (id: string, fields: Partial<StageRow> = {}): StageRow => ({
  id,
  state: 'completed',
  why: '',
  when: null,
  took: '',
  seconds: null,
  metric: '',
  ...fields
});

const ROWS = [
  row('s10', { state: 'up to date', when: 20, seconds: 1 }),
  row('s9', { state: 'failed', when: 30, seconds: 12 }),
  row('s1', { state: 'new' })
];

test.each<[Order | null, string]>([
  [null, 's10 s9 s1'],
  [{ column: 'id', isDown: false }, 's1 s9 s10'],
  [{ column: 'id', isDown: true }, 's10 s9 s1'],
  [{ column: 'state', isDown: false }, 's9 s1 s10'],
  [{ column: 'seconds', isDown: false }, 's10 s9 s1'],
  [{ column: 'seconds', isDown: true }, 's9 s10 s1'],
  [{ column: 'when', isDown: true }, 's9 s10 s1']
])('in the order %j the rows are %s', (order, ids) => {
  expect(
    ordered(ROWS, order)
      .map(one => one.id)
      .join(' ')
  ).toBe(ids);
});

test('a click sorts up, then down, then as planned', () => {
  const up = turned(null, 'when');
  expect(up).toEqual({ column: 'when', isDown: false });
  expect(turned(up, 'when')).toEqual({ column: 'when', isDown: true });
  expect(turned(turned(up, 'when'), 'when')).toBeNull();
  expect(turned(up, 'id')).toEqual({ column: 'id', isDown: false });
});

test('files of a stage are paths, lists of them, and places elsewhere', () => {
  expect(filesOf({ one: 'data/a.csv', many: ['b.csv', 's3://x/c'], none: null, out: '/tmp/x' })).toEqual([
    { name: 'one', path: 'data/a.csv', isInside: true },
    { name: 'many', path: 'b.csv', isInside: true },
    { name: 'many', path: 's3://x/c', isInside: false },
    { name: 'out', path: '/tmp/x', isInside: false }
  ]);
});
