import { describe, expect, test } from 'vitest';

import { cardOf, elapsed, figure, tookOf } from '../src/model/card';
import { nodes } from '../src/model/grouping';
import { applyChange, EMPTY_SNAPSHOT } from '../src/model/snapshot';
import { stageViews } from '../src/model/stage-state';
import type { PlanStage, StageInfo } from '../src/wire';
import { info, P, planned, run } from './building';

function cards(plan: PlanStage[], stages: StageInfo[], isLive = false) {
  const runs = [run(isLive ? {} : { ended: 200, status: 'completed' })];
  const change = { seq: 1, full: true, runs, stages, shapes: {}, definitions: '', elsewhere: {} };
  const views = stageViews(applyChange(EMPTY_SNAPSHOT, change), P, plan);
  return nodes(views, new Set()).map(cardOf);
}

describe('a card', () => {
  test('has the time against the usual one, and the first metric', () => {
    const metrics = { auc: 0.934567, rows: 7 };
    const done = info({ status: 'completed', started: 100, ended: 102.1, expected: 1.3, metrics });
    const [card] = cards([planned('a', { decision: 'REUSE' })], [done]);
    expect(card).toMatchObject({
      name: 'a',
      word: 'up to date',
      detail: '',
      took: '2.1 s, usually 1.3 s',
      metric: 'auc 0.9346',
      part: null,
      since: null
    });
    expect(card?.label).toBe('a, up to date, 2.1 s, usually 1.3 s, auc 0.9346');
  });

  test('of a stage that runs has the cell, how far it is, and since when', () => {
    const now = info({ status: 'running', started: 100, cell: 3, cells: 4, expected: 20 });
    const [card] = cards([planned('a')], [now], true);
    expect(card).toMatchObject({ detail: 'cell 3 of 4', part: 0.5, since: 100, usual: 20, took: '' });
  });

  test('of one that failed has the cell and the error', () => {
    const failed = info({
      status: 'failed',
      started: 1,
      ended: 2,
      cell: 2,
      cells: 3,
      message: "KeyError: 'b'"
    });
    expect(cards([planned('a')], [failed])[0]?.detail).toBe("at cell 2 of 3: KeyError: 'b'");
  });

  test('of several instances counts them, and how many are over while one runs', () => {
    const plan = ['fit@1', 'fit@2', 'fit@3', 'fit@4'].map(id => planned(id));
    const stages = plan.map(({ id }, at) => info({ id, status: at < 1 ? 'completed' : 'pending' }));
    expect(cards(plan, stages, true)[0]).toMatchObject({ detail: '4 instances', part: null, took: '' });
    stages[1] = info({ id: 'fit@2', status: 'running', started: 1 });
    expect(cards(plan, stages, true)[0]).toMatchObject({ word: '1 running', part: 0.25, since: null });
  });
});

test.each([
  [null, ''],
  [{}, ''],
  [{ started: 5 }, ''],
  [{ started: 5, ended: 7 }, '2.0 s'],
  [{ started: 5, ended: 7, expected: 2.01 }, '2.0 s'],
  [{ started: 5, ended: 70, expected: 2 }, '1 min 05 s, usually 2.0 s']
])('the time of %j is %j', (fields, text) => {
  expect(tookOf(fields === null ? null : info(fields))).toBe(text);
});

test.each([
  [0, '0'],
  [0.934567, '0.9346'],
  [-12.3456, '-12.35'],
  [123456, '123,456'],
  [12345.678, '12,346'],
  [0.0000123, '1.23e-5'],
  [1e20, '1.00e+20'],
  ['nan', 'nan']
])('the figure of %j is %j', (value, text) => {
  expect(figure(value)).toBe(text);
});

test('what goes on tells the usual time as well', () => {
  expect(elapsed(12, null)).toBe('12 s');
  expect(elapsed(-1, 20)).toBe('0.0 s of about 20 s');
});
