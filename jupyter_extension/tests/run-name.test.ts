import { expect, test } from 'vitest';

import { runLabel, runTitle, shortId } from '../src/model/run-name';

const RUN = { id: '20261130-205837-fab3', started: 1_764_536_317 };

test('a run has the end of its id and its time', () => {
  expect(runLabel(RUN, RUN.started + 900)).toBe('fab3 · 15 min ago');
  expect(shortId('20261201-014705-2e8b138f')).toBe('2e8b138f'); // of a schedule
  expect([shortId('r1'), shortId('20261130-205837-fab3x')]).toEqual(['r1', '20261130-205837-fab3x']);
});

test('the title has the whole id and the exact time', () => {
  const [id, time] = runTitle(RUN).split('\n');
  expect(id).toBe(RUN.id);
  expect(time).toMatch(/^\w{3}, \d+ \w{3} 2025, \d\d:\d\d /);
});
