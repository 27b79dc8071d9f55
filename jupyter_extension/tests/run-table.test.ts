import { expect, test } from 'vitest';

import {
  bestOf,
  choiceOf,
  type Column,
  columnsOf,
  directionOf,
  EMPTY_CHOICE,
  filterRows,
  isNumeric,
  isReused,
  isShown,
  NEWEST,
  nextSort,
  reuseOf,
  type Row,
  rowsOf,
  sortRows
} from '../src/model/run-table';
import { roundOnes, scatterOf } from '../src/model/scatter';
import type { RunInfo, RunResult } from '../src/wire';
import { run } from './building';

const none: RunResult = { metrics: {}, statuses: {}, reused: [] };

function rows(...some: (readonly [Partial<RunInfo>, Partial<RunResult>?])[]): Row[] {
  const runs = some.map(([fields]) => run({ status: 'completed', ended: 110, ...fields }));
  const results = Object.fromEntries(
    some.map(([, result], at) => [runs[at]?.id ?? '', { ...none, ...result }])
  );
  return rowsOf({ runs, results, more: false, older: 0, most: 1000, points: {} });
}

function column(of: readonly Row[], id: string): Column {
  const found = columnsOf(of).find(one => one.id === id);
  if (found === undefined) {
    throw new Error(`no column ${id}`);
  }
  return found;
}

function ids(some: readonly Row[]): string[] {
  return some.map(row => row.run.id);
}

const THREE = rows(
  [{ id: 'c', started: 3, params: { lr: 0.1, seed: 1 } }, { metrics: { 'fit.loss': 0.3, 'fit.rows': 5 } }],
  [{ id: 'b', started: 2, params: { lr: 0.02, seed: 1 } }, { metrics: { 'fit.loss': 0.1, 'fit.rows': 5 } }],
  [
    { id: 'a', started: 1, params: { lr: 0.3, seed: 1 } },
    { metrics: {}, statuses: { failed: 1 } }
  ]
);

test('points of a sweep stand below it, in their order; without it they stand for themselves', () => {
  const found = rows(
    [{ id: 'p2', parent: 's' }],
    [{ id: 'p1', parent: 's' }],
    [{ id: 's', kind: 'sweep' }],
    [{ id: 'x', parent: 'gone' }]
  );
  expect(found.map(row => [row.run.id, row.level, row.parent?.id])).toEqual([
    ['s', 0, undefined],
    ['p1', 1, 's'],
    ['p2', 1, 's'],
    ['x', 0, undefined]
  ]);
});

test('parameters that differ and metrics are shown; others can be chosen', () => {
  const columns = columnsOf(THREE);
  const shown = columns.filter(one => isShown(one, EMPTY_CHOICE)).map(one => one.id);
  expect(shown).toEqual(['run', 'status', 'took', 'param:lr', 'metric:fit.loss', 'metric:fit.rows', 'by']);
  const choice = { ...EMPTY_CHOICE, shown: { 'param:seed': true, took: false, run: false } };
  const chosen = columns.filter(one => isShown(one, choice)).map(one => one.id);
  expect(chosen).toContain('param:seed');
  expect(chosen).toContain('run');
  expect(chosen).not.toContain('took');
});

test('a sweep itself makes no parameter differ', () => {
  const found = rows(
    [{ id: 'p', parent: 's', params: { lr: 1 } }],
    [{ id: 's', kind: 'sweep', params: { lr: [1, 2] } }]
  );
  expect(column(found, 'param:lr').isUsual).toBe(false);
});

test('a metric has the name of its stage where two stages have one of that name', () => {
  const found = rows([{ id: 'a' }, { metrics: { 'fit@4.auc': 1, 'x.auc': 2, 'x.rows': 3 } }]);
  const labels = columnsOf(found).map(one => one.label);
  expect(labels).toEqual(['Run', 'Status', 'Took', 'x.auc', 'rows', 'fit@4.auc', 'Started by']);
});

test('of many metrics the first ones are shown', () => {
  const metrics = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`fit@${at}.m`, at]));
  const found = columnsOf(rows([{ id: 'a' }, { metrics }])).filter(one => one.kind === 'metric');
  expect(found.map(one => one.isUsual)).toEqual([
    ...Array<boolean>(8).fill(true),
    ...Array<boolean>(12).fill(false)
  ]);
});

test('rows are sorted by numbers as numbers, and those without a value come last both ways', () => {
  const columns = columnsOf(THREE);
  const by = (id: string, isDescending: boolean): string[] =>
    ids(sortRows(THREE, columns, { column: id, isDescending }));
  expect(by('param:lr', false)).toEqual(['b', 'c', 'a']);
  expect(by('metric:fit.loss', false)).toEqual(['b', 'c', 'a']);
  expect(by('metric:fit.loss', true)).toEqual(['c', 'b', 'a']);
  expect(by('run', true)).toEqual(['c', 'b', 'a']);
  expect(by('run', false)).toEqual(['a', 'b', 'c']);
  expect(by('gone', false)).toEqual(['c', 'b', 'a']);
});

test('texts with numbers in them are sorted by these', () => {
  const found = rows([{ id: 'a', params: { n: 'x10' } }], [{ id: 'b', params: { n: 'x9' } }]);
  expect(ids(sortRows(found, columnsOf(found), { column: 'param:n', isDescending: false }))).toEqual([
    'b',
    'a'
  ]);
});

test('sorted by a value, points and sweeps are rows of the same level', () => {
  const found = rows(
    [{ id: 'p', parent: 's', params: { n: 1 } }],
    [{ id: 's', kind: 'sweep' }],
    [{ id: 'r', params: { n: 2 } }]
  );
  const sorted = sortRows(found, columnsOf(found), { column: 'param:n', isDescending: true });
  expect(sorted.map(row => [row.run.id, row.level])).toEqual([
    ['r', 0],
    ['p', 0],
    ['s', 0]
  ]);
});

test('a click on a head sorts by it, and a second one the other way', () => {
  const loss = column(THREE, 'metric:fit.loss');
  const first = nextSort(NEWEST, loss, THREE);
  expect(first).toEqual({ column: loss.id, isDescending: true });
  expect(nextSort(first, loss, THREE).isDescending).toBe(false);
  expect(nextSort(NEWEST, column(THREE, 'status'), THREE).isDescending).toBe(false);
  expect(nextSort(NEWEST, column(THREE, 'run'), THREE).isDescending).toBe(false);
  expect(isNumeric(THREE, column(THREE, 'by'))).toBe(false);
});

test('a filter takes all words, in any column, and a status', () => {
  const columns = columnsOf(THREE);
  expect(ids(filterRows(THREE, columns, 'lr=0.02', ''))).toEqual(['b']);
  expect(ids(filterRows(THREE, columns, 'SEED=1 0.3', ''))).toEqual(['c', 'a']);
  expect(ids(filterRows(THREE, columns, ' ', ''))).toEqual(['c', 'b', 'a']);
  expect(filterRows(THREE, columns, '', 'failed')).toEqual([]);
  const failed = rows([{ id: 'x', status: 'failed' }], [{ id: 'y' }]);
  expect(ids(filterRows(failed, columnsOf(failed), '', 'failed'))).toEqual(['x']);
  const sweep = rows([{ id: 'p', parent: 's', params: { n: 1 } }], [{ id: 's', kind: 'sweep' }]);
  expect(filterRows(sweep, columnsOf(sweep), 'n=1', '').map(row => row.level)).toEqual([0]);
});

test.each([
  ['fit.loss', 'lower'],
  ['fit.val_rmse', 'lower'],
  ['fit.AUC', 'higher'],
  ['fit.test_accuracy', 'higher'],
  ['fit.rows', 'none'],
  ['fit.terror', 'none']
])('%s: %s is better', (name, direction) => {
  const found = rows([{ id: 'a' }, { metrics: { [name]: 1 } }]);
  expect(directionOf(column(found, `metric:${name}`), EMPTY_CHOICE)).toBe(direction);
});

test('the best value is marked, by what was chosen, and nothing where all are alike', () => {
  const [loss, all] = [column(THREE, 'metric:fit.loss'), column(THREE, 'metric:fit.rows')];
  expect([...bestOf(THREE, loss, 'lower')]).toEqual(['b']);
  expect([...bestOf(THREE, loss, 'higher')]).toEqual(['c']);
  expect([...bestOf(THREE, loss, 'none')]).toEqual([]);
  expect([...bestOf(THREE, all, 'higher')]).toEqual([]);
  const choice = { ...EMPTY_CHOICE, directions: { [loss.id]: 'higher' as const } };
  expect(directionOf(loss, choice)).toBe('higher');
  expect(directionOf(column(THREE, 'param:lr'), EMPTY_CHOICE)).toBe('none');
});

test('the best value is of the run that made it, not of those that reused it', () => {
  const found = rows(
    [{ id: 'c' }, { metrics: { 'fit.auc': 0.9 }, reused: ['fit'], statuses: { reused: 1, completed: 2 } }],
    [{ id: 'b' }, { metrics: { 'fit.auc': 0.9 } }],
    [{ id: 'a' }, { metrics: { 'fit.auc': 0.1 } }]
  );
  const auc = column(found, 'metric:fit.auc');
  expect([...bestOf(found, auc, 'higher')]).toEqual(['b']);
  expect(found.map(row => isReused(row, auc))).toEqual([true, false, false]);
  expect(found.map(reuseOf)).toEqual([{ reused: 1, all: 3 }, null, null]);
  const [reused, , worst] = found;
  const left = [reused, worst].filter(row => row !== undefined);
  expect([...bestOf(left, auc, 'higher')]).toEqual(['c']);
});

test('a run that failed has no best value', () => {
  const found = rows(
    [{ id: 'c', status: 'failed' }, { metrics: { 'fit.auc': 0.9 } }],
    [{ id: 'b' }, { metrics: { 'fit.auc': 0.5 } }],
    [{ id: 'a' }, { metrics: { 'fit.auc': 0.1 } }]
  );
  expect([...bestOf(found, column(found, 'metric:fit.auc'), 'higher')]).toEqual(['b']);
});

test('the lists of a sweep leave a parameter a number', () => {
  const found = rows(
    [{ id: 'p', parent: 's', params: { n: 1 } }],
    [{ id: 's', kind: 'sweep', params: { n: [1] } }]
  );
  expect(isNumeric(found, column(found, 'param:n'))).toBe(true);
});

test('what was kept of a choice is read, and what is not understood left out', () => {
  const choice = {
    shown: { took: false },
    directions: { 'metric:a.b': 'lower' as const },
    sort: { column: 'took', isDescending: false }
  };
  expect(choiceOf(JSON.parse(JSON.stringify(choice)))).toEqual(choice);
  for (const odd of [null, 3, 'x', [], { shown: 1, sort: { column: 2 } }, { directions: { a: 'up' } }]) {
    expect(choiceOf(odd)).toEqual(EMPTY_CHOICE);
  }
});

// -- the plot --

test('points have their places, and axes have round marks', () => {
  const plot = scatterOf(THREE, column(THREE, 'param:lr'), column(THREE, 'metric:fit.loss'));
  expect(plot.spots.map(spot => [spot.row.run.id, spot.xText, spot.yText])).toEqual([
    ['b', '0.02', '0.1'],
    ['c', '0.1', '0.3']
  ]);
  const [low, high] = plot.spots;
  expect([low?.x, low?.y]).toEqual([0.05, 0.05]);
  expect(high?.x).toBeCloseTo(0.95);
  expect(high?.y).toBeCloseTo(0.95);
  expect(plot.yMarks.map(mark => mark.text)).toEqual(['0.1', '0.15', '0.2', '0.25', '0.3']);
});

test('values that are no numbers stand side by side', () => {
  const found = rows(
    [{ id: 'b', params: { model: 'tree' } }, { metrics: { 'f.auc': 2 } }],
    [{ id: 'a', params: { model: 'forest' } }, { metrics: { 'f.auc': 1 } }]
  );
  const plot = scatterOf(found, column(found, 'param:model'), column(found, 'metric:f.auc'));
  expect(plot.xMarks).toEqual([
    { at: 0.25, text: 'forest' },
    { at: 0.75, text: 'tree' }
  ]);
  expect(plot.spots.map(spot => [spot.row.run.id, spot.x])).toEqual([
    ['a', 0.25],
    ['b', 0.75]
  ]);
});

test.each([
  [0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [0.71, 0.74, [0.71, 0.72, 0.73, 0.74]],
  [3, 3, [3]],
  [-20, 130, [0, 50, 100]]
])('round numbers from %f to %f', (low, high, marks) => {
  expect(roundOnes(low, high)).toEqual(marks);
});

test('a plot of nothing has nothing', () => {
  expect(scatterOf([], column(THREE, 'run'), column(THREE, 'metric:fit.loss'))).toEqual({
    spots: [],
    xMarks: [],
    yMarks: []
  });
});
