import { expect, test } from 'vitest';

import { endings, nothingDone } from '../src/model/endings';
import { EMPTY_SNAPSHOT, type Snapshot } from '../src/model/snapshot';
import type { RunInfo, StageInfo } from '../src/wire';
import { info, run } from './building';

function snapshot(runs: readonly RunInfo[], infos: readonly StageInfo[] = []): Snapshot {
  const stages = new Map([['p', new Map(infos.map(one => [one.id, one]))]]);
  return { ...EMPTY_SNAPSHOT, seq: 1, runs, stages };
}

const GOING = snapshot([run()]);

test('a run that ended is told with its time', () => {
  const over = run({ status: 'completed', ended: 165 });
  const [one] = endings(GOING, snapshot([over], [info({ status: 'completed' })]));
  expect(one).toMatchObject({ took: 65, failed: null, didNothing: false });
  expect(one?.text).toBe('p: completed in 1 min 05 s');
  expect(endings(snapshot([over]), snapshot([over]))).toEqual([]);
  expect(endings(EMPTY_SNAPSHOT, snapshot([over]))).toEqual([]);
});

test('a failure is told with the stage and the error', () => {
  const infos = [
    info({ status: 'failed', message: "KeyError: 'b'" }),
    info({ id: 'b', status: 'failed' }),
    info({ id: 'c', status: 'failed', run: 'an earlier one' })
  ];
  const [one] = endings(GOING, snapshot([run({ status: 'failed', ended: 112 })], infos));
  expect(one?.text).toBe("p: failed in 12 s. a and 1 other stage failed: KeyError: 'b'");
  expect(one?.failed).toBe('a');
  const [other] = endings(
    GOING,
    snapshot([run({ status: 'failed', ended: 112, reason: 'the disk is full' })])
  );
  expect(other?.text).toBe('p: failed in 12 s. the disk is full');
});

test('points of sweeps, acceptances and what somebody cancelled are not told', () => {
  const quiet: Partial<RunInfo>[] = [{ parent: 's' }, { kind: 'accept' }, { status: 'cancelled' }];
  for (const fields of quiet) {
    const before = snapshot([run({ ...fields, status: 'running' })]);
    const after = snapshot([run({ status: 'completed', ended: 112, ...fields })]);
    expect(endings(before, after)).toEqual([]);
  }
});

test('a run that did nothing says so', () => {
  const over = run({ status: 'completed', ended: 101 });
  const reused = [info({ status: 'reused' }), info({ id: 'b', status: 'reused' })];
  const after = snapshot([over], [...reused, info({ id: 'c', status: 'skipped' })]);
  expect(nothingDone(after, over)).toBe('nothing to do, all 2 stages are up to date');
  expect(endings(GOING, after)[0]).toMatchObject({
    didNothing: true,
    text: 'p: nothing to do, all 2 stages are up to date'
  });
  expect(nothingDone(snapshot([over], [info({ status: 'reused' })]), over)).toContain(
    '1 stage is up to date'
  );
  const mixed = snapshot([over], [...reused, info({ id: 'c', status: 'completed' })]);
  expect(nothingDone(mixed, over)).toBe('');
  expect(nothingDone(snapshot([over]), over)).toBe('');
  expect(nothingDone(after, { ...over, kind: 'sweep' })).toBe('');
});
