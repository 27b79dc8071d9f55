import { describe, expect, test } from 'vitest';

import { edges, nodes } from '../src/model/grouping';
import { applyChange, EMPTY_SNAPSHOT, endedRuns, latestRun, liveRun } from '../src/model/snapshot';
import {
  cellOf,
  counts,
  GLYPHS,
  lastOutcome,
  outcomeBeside,
  plannedCounts,
  progressOf,
  STATES,
  stageViews
} from '../src/model/stage-state';
import type { Change, PlanStage, StageInfo, StageStatus } from '../src/wire';
import { info, P, planned, run } from './building';

function change(fields: Partial<Change>): Change {
  return { seq: 1, full: false, runs: [], stages: [], shapes: {}, definitions: '', elsewhere: {}, ...fields };
}

function state(plan: PlanStage | null, stage: StageInfo | null, isLive: boolean): string {
  const runs = [run(isLive ? {} : { ended: 200, status: 'completed' })];
  const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs, stages: stage ? [stage] : [] }));
  return stageViews(snapshot, P, plan ? [plan] : null)[0]?.state ?? '';
}

describe('the state of a stage', () => {
  test.each<[StageStatus, Partial<StageInfo>, string]>([
    ['pending', {}, 'pending'],
    ['pending', { decision: 'WAIT' }, 'waits'],
    ['running', {}, 'running'],
    ['running', { frozen: 7 }, 'frozen'],
    ['retrying', {}, 'retrying'],
    ['completed', {}, 'completed'],
    ['reused', {}, 'reused'],
    ['failed', {}, 'failed'],
    ['blocked', {}, 'blocked'],
    ['skipped', {}, 'skipped'],
    ['cancelled', {}, 'cancelled'],
    ['interrupted', {}, 'interrupted']
  ])('during its run %s %o is %s, whatever the plan says', (status, fields, wanted) => {
    for (const decision of ['RUN', 'REUSE'] as const) {
      expect(state(planned('a', { decision }), info({ status, ...fields }), true)).toBe(wanted);
    }
  });

  test('after a run the plan has a say', () => {
    const stale = planned('a', { reasons: ['the code changed'] });
    expect(state(stale, info({ status: 'completed' }), false)).toBe('stale');
    expect(state(planned('a', { decision: 'REUSE' }), info({ status: 'completed' }), false)).toBe(
      'up to date'
    );
    expect(state(stale, info({ status: 'failed' }), false)).toBe('failed');
    expect(state(planned('a', { reasons: ['no result yet'] }), null, false)).toBe('new');
    expect(state(planned('a'), info({ status: 'completed' }), false)).toBe('would run');
    expect(state(planned('a', { decision: 'SKIP' }), null, false)).toBe('skipped');
    expect(state(planned('a', { decision: 'WAIT' }), info({ status: 'completed' }), false)).toBe('waits');
    expect(state(null, info({ status: 'completed' }), false)).toBe('completed');
  });
});

describe('a run that came to no good end is not hidden by what the next one would do', () => {
  test.each<[StageStatus, Partial<PlanStage>, string]>([
    [
      'failed',
      { decision: 'REUSE', reasons: ['nothing changed'] },
      'up to date: it has a result for these parameters'
    ],
    ['failed', { reasons: ['the code changed'] }, 'stale: the code changed'],
    ['blocked', { reasons: ['no result yet'] }, 'new: no result yet'],
    [
      'cancelled',
      { decision: 'WAIT', reasons: ["only if a's output changes"] },
      "waits: only if a's output changes"
    ],
    ['interrupted', { decision: 'SKIP' }, 'skipped'],
    ['failed', {}, 'would run']
  ])('%s, and the plan says %o', (status, fields, next) => {
    const runs = [run({ ended: 200, status: 'failed' })];
    const stages = [info({ status, message: 'KeyError: x', reason: 'needs b, which failed' })];
    const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs, stages }));
    const [view] = stageViews(snapshot, P, [planned('a', fields)]);
    expect([view?.state, view?.next]).toEqual([status, next]);
  });

  test('what lies on disk is told where it is not of these parameters', () => {
    const fields = {
      restores: ['data/a'],
      on_disk: 'data/a on disk is of months=6',
      reasons: ['nothing changed']
    };
    const snapshot = applyChange(
      EMPTY_SNAPSHOT,
      change({ full: true, runs: [], stages: [info({ status: 'completed' })] })
    );
    const [view] = stageViews(snapshot, P, [planned('a', { decision: 'REUSE', ...fields })]);
    expect([view?.state, view?.why, view?.next]).toEqual(['restores', fields.on_disk, '']);
  });
});

test.each<[Partial<StageInfo>, Partial<PlanStage>, string]>([
  [{ status: 'completed' }, { decision: 'REUSE' }, 'completed 5 min ago, 3.0 s'],
  [{ status: 'reused' }, { decision: 'REUSE' }, 'completed 5 min ago, 3.0 s'],
  [{ status: 'reused' }, { reasons: ['cell 4 changed'] }, 'completed 5 min ago, 3.0 s'],
  [{ status: 'failed' }, { decision: 'REUSE' }, 'failed 5 min ago, 3.0 s'],
  [{ status: 'blocked', started: null, ended: null }, {}, 'blocked'],
  [{ status: 'pending', ended: null }, {}, '']
])('the last outcome of %o is kept, whatever the next run does', (fields, plan, text) => {
  const stages = [info({ started: 97, ended: 100, ...fields })];
  const runs = [run({ ended: 200, status: 'completed' })];
  const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs, stages }));
  const [view] = stageViews(snapshot, P, [planned('a', plan)]);
  expect(view && lastOutcome(view, 400)).toBe(text);
  expect(view && outcomeBeside(view, 400)).toBe(text.replace(/^(failed |blocked)/, ''));
});

test('what a run would do is counted in words', () => {
  const words = ['new', 'stale', 'would run', 'waits', 'restores', 'restores', 'skipped'] as const;
  expect(plannedCounts(words.map(next_run => ({ next_run })))).toBe(
    '3 would run, 1 waits, 2 restore, 1 skipped'
  );
  expect(plannedCounts([])).toBe('');
});

test('every state has a sign', () => {
  expect(Object.keys(GLYPHS).sort()).toEqual([...STATES].sort());
});

test('a failed stage says where and why, a running one how far it is', () => {
  const failed = info({ status: 'failed', cell: 3, cells: 7, message: 'KeyError: x' });
  const running = info({ id: 'b', status: 'running', cell: 12, cells: 40 });
  const snapshot = applyChange(
    EMPTY_SNAPSHOT,
    change({ full: true, runs: [run()], stages: [failed, running] })
  );
  const [first, second] = stageViews(snapshot, P, [planned('a'), planned('b')]);
  expect(first && [cellOf(first), first.why]).toEqual(['at cell 3 of 7', 'KeyError: x']);
  expect(second && [cellOf(second), progressOf(second)]).toEqual(['cell 12 of 40', 11 / 40]);
  expect(counts([first, second].filter(view => view !== undefined))).toEqual([
    ['failed', 1],
    ['running', 1]
  ]);
});

test('what a run said counts until a plan is made after its end', () => {
  const runs = [run({ ended: 200, status: 'completed' })];
  const snapshot = applyChange(
    EMPTY_SNAPSHOT,
    change({ full: true, runs, stages: [info({ status: 'completed' })] })
  );
  const before = [planned('a', { reasons: ['no result yet'] })];
  expect(stageViews(snapshot, P, before, new Set(['r1']))[0]?.state).toBe('completed');
  expect(stageViews(snapshot, P, before)[0]?.state).toBe('new');
});

test('a change touches what it names; a full one replaces all', () => {
  const first = applyChange(
    EMPTY_SNAPSHOT,
    change({
      full: true,
      runs: [run()],
      stages: [info(), info({ id: 'b' }), info({ id: 'c', pipeline: 'q' })]
    })
  );
  const second = applyChange(first, change({ seq: 2, runs: [run()], stages: [info({ status: 'running' })] }));
  expect(second.stages.get('p')?.get('a')?.status).toBe('running');
  expect(second.stages.get('p')?.get('b')).toBe(first.stages.get('p')?.get('b'));
  expect(second.stages.get('q')).toBe(first.stages.get('q'));
  expect(first.stages.get('p')?.get('a')?.status).toBe('pending');
  expect(applyChange(second, change({ full: true })).stages.size).toBe(0);
  const shaped = applyChange(second, change({ shapes: { p: ['b', 'a', 'unknown'] } }));
  expect([...(shaped.stages.get('p')?.keys() ?? [])]).toEqual(['b', 'a']);
});

test('a stage that was expanded gives way to its instances', () => {
  const stages = [info({ id: 'each@x', status: 'running' }), info({ id: 'each@y' }), info({ id: 'join' })];
  const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs: [run()], stages }));
  const plan = [planned('each', { decision: 'WAIT' }), planned('join', { upstream: ['each'] })];
  const views = stageViews(snapshot, P, plan);
  expect(views.map(view => [view.id, view.stage, view.state])).toEqual([
    ['each@x', 'each', 'running'],
    ['each@y', 'each', 'pending'],
    ['join', 'join', 'pending']
  ]);
  expect(edges(nodes(views, new Set())).get('join')).toEqual(['each']);
  expect(edges(nodes(views, new Set(['each']))).get('join')).toEqual(['each@x', 'each@y']);
});

test('stages that appear while a run goes on are shown after those of the plan', () => {
  const snapshot = applyChange(
    EMPTY_SNAPSHOT,
    change({ full: true, runs: [run()], stages: [info(), info({ id: 'each@1', status: 'running' })] })
  );
  expect(stageViews(snapshot, P, [planned('a')]).map(view => [view.id, view.stage])).toEqual([
    ['a', 'a'],
    ['each@1', 'each']
  ]);
  const over = { ...snapshot, runs: [run({ ended: 1 })] };
  expect(stageViews(over, P, [planned('a')])).toHaveLength(1);
  expect(latestRun(over, 'p')?.id).toBe('r1');
  expect(liveRun(over, 'p')).toBeUndefined();
});

test('points and acceptances hide no run, and a point that is not listed any more has ended', () => {
  const runs = [
    run({ id: 'accepted', kind: 'accept', ended: 1, status: 'completed' }),
    run({ id: 'point', parent: 'sweep' }),
    run({ id: 'sweep', kind: 'sweep' }),
    run({ id: 'failed', ended: 1, status: 'failed' })
  ];
  const during = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs }));
  expect(liveRun(during, 'p')?.id).toBe('sweep');
  expect(latestRun(during, 'p')?.id).toBe('sweep');
  const after = applyChange(during, change({ runs: [runs[0], runs[3]].flatMap(one => one ?? []) }));
  expect(endedRuns(during, after)).toEqual(['point', 'sweep']);
  expect(endedRuns(EMPTY_SNAPSHOT, after)).toEqual([]);
  const quiet = run({ id: 'quiet', ended: 2, status: 'completed' });
  expect(endedRuns(after, applyChange(after, change({ runs: [quiet, ...after.runs] })))).toEqual(['quiet']);
  expect(latestRun(after, 'p')?.id).toBe('failed');
});

test('the notebook of a stage that ran is known before there is a plan', () => {
  const stages = [info(), info({ id: 'a@1' }), info({ id: 'gone' })];
  const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs: [run()], stages }));
  const views = stageViews(snapshot, P, null);
  expect(views.map(view => view.notebook)).toEqual(['notebooks/a.ipynb', 'notebooks/a.ipynb', '']);
});

describe('a stage that runs no notebook', () => {
  const fields = { notebook: 'queries/a.sql', program: 'sql', target: 'queries/a.sql' };

  test('says what it runs, and in no cell', () => {
    const failed = info({ status: 'failed', cell: 3, cells: 3 });
    const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs: [run()], stages: [failed] }));
    const [view] = stageViews(snapshot, P, [planned('a', fields)]);
    expect([view?.program, view?.runs, view && cellOf(view)]).toEqual(['sql', 'SQL queries/a.sql', '']);
  });

  test('says it before there is a plan', () => {
    const defined = { name: 'p', stages: [{ name: 'a', line: 1, column: 1, ...fields }] };
    const snapshot = applyChange(EMPTY_SNAPSHOT, change({ full: true, runs: [run()], stages: [info()] }));
    expect(stageViews(snapshot, defined, null)[0]?.runs).toBe('SQL queries/a.sql');
  });
});
