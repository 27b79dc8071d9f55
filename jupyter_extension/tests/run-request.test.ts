import { expect, test } from 'vitest';

import { isIncomplete, EMPTY_DRAFT, queryOf, requestOf, toggled } from '../src/model/run-request';

test('a draft is the same as a request and as a query', () => {
  const draft = {
    ...EMPTY_DRAFT,
    scope: 'from',
    stages: ['a', 'b@1'],
    texts: { x: '1 2' },
    force: true
  } as const;
  expect(requestOf(draft)).toMatchObject({ start: ['a', 'b@1'], texts: { x: '1 2' }, force: true });
  expect(queryOf(draft)).toEqual([
    ['param', 'x=1 2'],
    ['start', 'a'],
    ['start', 'b@1'],
    ['force', '1']
  ]);
  expect(queryOf(EMPTY_DRAFT)).toEqual([]);
  expect(requestOf({ ...draft, scope: 'all' })).not.toHaveProperty('start');
});

test('choosing the first stage narrows the run, and leaving out the last one widens it', () => {
  const one = toggled(EMPTY_DRAFT, 'a');
  expect([one.scope, one.stages]).toEqual(['to', ['a']]);
  const only = { ...toggled(one, 'b'), scope: 'only' } as const;
  expect(toggled(only, 'a')).toMatchObject({ scope: 'only', stages: ['b'] });
  expect(toggled(toggled(only, 'a'), 'b')).toMatchObject({ scope: 'all', stages: [] });
  expect(isIncomplete({ ...EMPTY_DRAFT, scope: 'only' })).toBe(true);
  expect(isIncomplete(EMPTY_DRAFT)).toBe(false);
});
