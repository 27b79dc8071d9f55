import { expect, test } from 'vitest';

import { pipelineStatus } from '../src/model/pipeline-status';
import { EMPTY_SNAPSHOT, isCancelling, type Snapshot } from '../src/model/snapshot';
import { stageViews } from '../src/model/stage-state';
import type { RunInfo, StageInfo } from '../src/wire';
import { info, P, planned, run } from './building';

function snapshot(runs: readonly RunInfo[], infos: readonly StageInfo[]): Snapshot {
  return {
    ...EMPTY_SNAPSHOT,
    seq: 1,
    runs,
    stages: new Map([['p', new Map(infos.map(one => [one.id, one]))]])
  };
}

test('what runs is told with how far it has come', () => {
  const infos = [
    info({ status: 'completed' }),
    info({ id: 'b', status: 'running' }),
    info({ id: 'c', status: 'pending' })
  ];
  const now = snapshot([run()], infos);
  const status = pipelineStatus(now, 'p', stageViews(now, P, null));
  expect(status).toMatchObject({ text: '▶ p 1/3', state: 'running', stage: 'b', pipeline: 'p' });
  expect(status.label).toBe('p runs: 1 of 3 stages done');
  expect(pipelineStatus(now, 'p', [], true).text).toBe('■ p 1/3');
  const elsewhere = pipelineStatus(now, 'other', []);
  expect(elsewhere).toMatchObject({ text: '▶ p 1/3', pipeline: 'p' });
});

test('what is most urgent is told, and where it is', () => {
  const ended = run({ status: 'failed', ended: 110 });
  const now = snapshot(
    [ended],
    [info({ status: 'completed' }), info({ id: 'b', status: 'failed' }), info({ id: 'c', status: 'blocked' })]
  );
  const status = pipelineStatus(now, 'p', stageViews(now, P, null));
  expect(status).toMatchObject({ text: '✗ p: 1 failed', label: 'p: 1 failed', stage: 'b' });
});

test('where all is well, that is told, and nothing stale is called well', () => {
  const now = snapshot([run({ status: 'completed', ended: 110 })], [info({ status: 'completed' })]);
  const well = stageViews(now, P, [planned('a', { decision: 'REUSE' })]);
  expect(pipelineStatus(now, 'p', well)).toMatchObject({ text: '✓ p', label: 'p: all is well', stage: null });
  const stale = stageViews(now, P, [planned('a', { reasons: ['cell 2 changed'] })]);
  expect(pipelineStatus(now, 'p', stale)).toMatchObject({ text: '△ p: 1 stale', stage: 'a' });
  expect(pipelineStatus(EMPTY_SNAPSHOT, 'p', []).label).toBe('p: no stages');
});

test('a sweep stops where one of its points was asked to', () => {
  const sweep = run({ id: 's', kind: 'sweep' });
  const point = run({ id: 's1', parent: 's' });
  expect(isCancelling(snapshot([sweep, point], []), sweep)).toBe(false);
  expect(isCancelling(snapshot([sweep, { ...point, cancelling: true }], []), sweep)).toBe(true);
  const over = { ...point, cancelling: true, ended: 110 };
  expect(isCancelling(snapshot([sweep, over], []), sweep)).toBe(false);
});
