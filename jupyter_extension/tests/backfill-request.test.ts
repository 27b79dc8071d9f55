import { expect, test } from 'vitest';

import { EMPTY_BACKFILL, requestOf, WHICH } from '../src/model/backfill-request';

const TARGET = { project: '', pipeline: 'p', environment: 'prod' };

test('the request has what the form holds, without what is around it', () => {
  const draft = { ...EMPTY_BACKFILL, start: ' 2026-01 ', end: '2026-02', parallel: ' 3 ', stages: ['a'] };
  expect(requestOf(draft, TARGET)).toEqual({
    ...TARGET,
    start: '2026-01',
    end: '2026-02',
    every: '',
    stages: ['a'],
    which: [],
    newest_first: false,
    parallel: 3
  });
});

test('all states together are the default, and need no words', () => {
  expect(requestOf({ ...EMPTY_BACKFILL, which: [...WHICH].reverse() }, TARGET).which).toEqual([]);
  expect(requestOf({ ...EMPTY_BACKFILL, which: ['failed'] }, TARGET).which).toEqual(['failed']);
});

test.each(['', 'many', '-1', '1.5', '99999'])(
  '%s is no number of intervals: the server says so',
  parallel => {
    expect(requestOf({ ...EMPTY_BACKFILL, parallel }, TARGET).parallel).toBe(0);
  }
);
