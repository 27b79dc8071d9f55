import { expect, test } from 'vitest';

import { gantt, ticksOf } from '../src/model/gantt';
import { info } from './building';

function ran(id: string, started: number, ended: number | null): ReturnType<typeof info> {
  return info({ id, started, ended, status: ended === null ? 'running' : 'completed' });
}

function critical(...args: Parameters<typeof gantt>): string[] {
  return gantt(...args)
    .bars.filter(bar => bar.critical)
    .map(bar => bar.info.id);
}

test('bars are parts of the whole, in the order of their starts', () => {
  const chart = gantt(100, 110, [ran('b', 105, 110), ran('a', 100, 105)], { b: ['a'] });
  expect(chart.bars.map(bar => [bar.info.id, bar.from, bar.width])).toEqual([
    ['a', 0, 0.5],
    ['b', 0.5, 0.5]
  ]);
});

test.each([
  [10, 6, [0, 2, 4, 6, 8, 10]],
  [10, 2, [0, 10]],
  [0.004, 4, [0, 0.002, 0.004]],
  [100, 4, [0, 30, 60, 90]],
  [3500, 3, [0, 1200, 2400]],
  [40, 1, [0]],
  [10 * 86400, 3, [0, 432000, 864000]]
])('%f s with room for %i marks have round ones', (seconds, most, marks) => {
  expect(ticksOf(seconds, most)).toEqual(marks);
});

test('the critical path goes back over what was waited for longest', () => {
  const stages = [ran('a', 0, 4), ran('b', 0, 9), ran('c', 9.1, 12), ran('d', 4, 5)];
  expect(critical(0, 12, stages, { c: ['a', 'b'], d: ['a'] })).toEqual(['b', 'c']);
});

test('a stage that waited for a place is behind the one that left it', () => {
  const stages = [ran('a', 0, 5), ran('b', 5.05, 9)];
  expect(critical(0, 9, stages, { a: [], b: [] })).toEqual(['a', 'b']);
});

test('a stage that runs goes up to now; what did not run has no bar', () => {
  const chart = gantt(0, 7, [ran('a', 2, null), info({ id: 'x' }), ran('of an earlier run', -50, -40)], {});
  expect(chart.bars.map(bar => [bar.info.id, bar.seconds])).toEqual([['a', 5]]);
});

test('cycles and nothing do not hang it', () => {
  expect(critical(0, 2, [ran('a', 0, 1), ran('b', 0, 2)], { a: ['b'], b: ['a'] })).toContain('b');
  expect(gantt(5, 5, [], {}).bars).toEqual([]);
});

test('attempts are segments of the bar, and the last one has the status of the stage', () => {
  const fit = { ...ran('fit', 100, 110), status: 'completed' as const };
  const one = { attempt: 1, started: 100, ended: 102, cause: 'exception', message: 'no disk' };
  const two = { attempt: 2, started: 105, ended: 110, cause: '', message: '' };
  const [bar] = gantt(100, 110, [fit], {}, { fit: [one, two] }).bars;
  expect(bar?.segments).toEqual([
    { attempt: 1, status: 'failed', from: 0, width: 0.2, seconds: 2 },
    { attempt: 2, status: 'completed', from: 0.5, width: 0.5, seconds: 5 }
  ]);
  const waits = { ...fit, status: 'retrying' as const, ended: 102 };
  expect(gantt(100, 104, [waits], {}, { fit: [one] }).bars[0]?.segments[0]?.status).toBe('failed');
  const going = { ...ran('fit', 100, null) };
  const [again] = gantt(100, 107, [going], {}, { fit: [one, { ...two, ended: null }] }).bars;
  expect(again?.segments.map(part => [part.status, part.seconds])).toEqual([
    ['failed', 2],
    ['running', 2]
  ]);
});

test('stages that did not run are told without a bar', () => {
  const chart = gantt(0, 9, [ran('a', 1, 2), info({ id: 'b', status: 'reused' })], {});
  expect(chart.others.map(one => one.id)).toEqual(['b']);
});
