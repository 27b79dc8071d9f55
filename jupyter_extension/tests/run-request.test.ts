import { expect, test } from 'vitest';

import { isIncomplete, NO_ORDER, queryOf, requestOf, toggled } from '../src/model/run-request';

test('an order is the same as a request and as a query', () => {
  const order = { ...NO_ORDER, how: 'from', stages: ['a', 'b@1'], texts: { x: '1 2' }, force: true } as const;
  expect(requestOf(order)).toMatchObject({ start: ['a', 'b@1'], texts: { x: '1 2' }, force: true });
  expect(queryOf(order)).toEqual([
    ['param', 'x=1 2'],
    ['start', 'a'],
    ['start', 'b@1'],
    ['force', '1']
  ]);
  expect(queryOf(NO_ORDER)).toEqual([]);
  expect(requestOf({ ...order, how: 'all' })).not.toHaveProperty('start');
});

test('choosing the first stage narrows the run, and leaving out the last one widens it', () => {
  const one = toggled(NO_ORDER, 'a');
  expect([one.how, one.stages]).toEqual(['to', ['a']]);
  const only = { ...toggled(one, 'b'), how: 'only' } as const;
  expect(toggled(only, 'a')).toMatchObject({ how: 'only', stages: ['b'] });
  expect(toggled(toggled(only, 'a'), 'b')).toMatchObject({ how: 'all', stages: [] });
  expect(isIncomplete({ ...NO_ORDER, how: 'only' })).toBe(true);
  expect(isIncomplete(NO_ORDER)).toBe(false);
});
