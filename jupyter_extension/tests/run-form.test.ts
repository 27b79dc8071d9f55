import { expect, test } from 'vitest';

import { fieldOf, textOf } from '../src/model/field';
import { EMPTY_DRAFT, isUntouched, toggled } from '../src/model/run-request';
import { workloadText } from '../src/model/workload';
import type { ParamInfo, ParamKind } from '../src/wire';

function param(kind: ParamKind, fields: Partial<ParamInfo> = {}): ParamInfo {
  return {
    name: 'x',
    type: kind,
    default: null,
    required: false,
    help: '',
    kind,
    choices: [],
    optional: false,
    text: '',
    ...fields
  };
}

test('each type has its field', () => {
  expect(fieldOf(param('bool'), 'true', false)).toEqual({ kind: 'checkbox', checked: true });
  expect(fieldOf(param('int'), '3', false)).toEqual({ kind: 'number', value: '3', step: '1' });
  expect(fieldOf(param('float'), '1e-3', false)).toMatchObject({ kind: 'number', step: 'any' });
  expect(fieldOf(param('date'), '2013-01-31', false)).toEqual({ kind: 'date', value: '2013-01-31' });
  expect(fieldOf(param('datetime'), '2013-01-31T06:00', false).kind).toBe('datetime-local');
  expect(fieldOf(param('choice', { choices: ['a', 'b'] }), 'b', false)).toMatchObject({ kind: 'select' });
  const list = fieldOf(param('yaml', { type: 'list[int]' }), '[1, 2]', false);
  expect(list).toEqual({ kind: 'text', value: '[1, 2]', placeholder: '[…, …]' });
});

test('a text that its field could not show is edited as text', () => {
  for (const [kind, text] of [
    ['int', 'many'],
    ['date', 'yesterday'],
    ['datetime', '2013-01-31'],
    ['bool', 'yes']
  ] as const) {
    expect(fieldOf(param(kind), text, false)).toMatchObject({ kind: 'text', value: text });
  }
  expect(fieldOf(param('choice', { choices: ['a'] }), 'c', false)).toMatchObject({ choices: ['c', 'a'] });
  expect(fieldOf(param('int'), '3', true).kind).toBe('text');
  expect(fieldOf(param('bool'), 'true', true).kind).toBe('text');
});

test('no value is empty in a field, and null as a text', () => {
  const until = param('date', { optional: true, text: 'null' });
  const empty = fieldOf(until, 'null', false);
  expect(empty).toEqual({ kind: 'date', value: '' });
  expect(textOf(until, empty, '2013-01-31')).toBe('2013-01-31');
  expect(textOf(until, empty, '')).toBeNull();
  const given = param('int', { optional: true, text: '3' });
  expect(textOf(given, fieldOf(given, '3', false), '')).toBe('null');
  const flag = param('bool', { optional: true });
  expect(fieldOf(flag, 'null', false)).toMatchObject({ kind: 'select', choices: ['true', 'false', 'null'] });
});

test('what is typed is given unless it is the default', () => {
  const count = param('int', { text: '3' });
  const field = fieldOf(count, '3', false);
  expect(textOf(count, field, '3')).toBeNull();
  expect(textOf(count, field, '4')).toBe('4');
  expect(textOf(count, field, '')).toBe('');
  const needed = param('int', { required: true });
  expect(textOf(needed, fieldOf(needed, '', false), '')).toBe('');
  expect(fieldOf(param('bool', { required: true }), '', false)).toMatchObject({ kind: 'select' });
});

test('a draft is untouched until anything of it is another', () => {
  expect(isUntouched(EMPTY_DRAFT)).toBe(true);
  for (const patch of [
    { texts: { x: '1' } },
    { sweep: true },
    { interval: '2026-01' },
    { scope: 'only' }
  ] as const) {
    expect(isUntouched({ ...EMPTY_DRAFT, ...patch })).toBe(false);
  }
  expect(isUntouched(toggled(toggled(EMPTY_DRAFT, 'a'), 'a'))).toBe(true);
});

test('how much there is to do is told in a line', () => {
  const work = { points: 1, stages: 9, waiting: 0, unknown: 0, seconds: 130, restores: false };
  expect(workloadText(work)).toBe('9 stages, about 2 min');
  expect(workloadText({ ...work, points: 6, stages: 27 })).toBe('6 points, 27 stages, about 2 min');
  expect(workloadText({ ...work, waiting: 2, seconds: 0.4 })).toBe('up to 9 stages, about 1 s');
  expect(workloadText({ ...work, unknown: 1, seconds: 12.4 })).toBe(
    '9 stages, about 12 s, without 1 stage that never ran'
  );
  expect(workloadText({ ...work, seconds: null })).toBe('9 stages, time not known yet');
  expect(workloadText({ ...work, stages: 0, seconds: 0 })).toBe('nothing to do: all is up to date');
  expect(workloadText({ ...work, stages: 0, seconds: 0, restores: true })).toBe(
    'nothing to run: earlier outputs are put back'
  );
  expect(workloadText({ ...work, seconds: 7900 })).toBe('9 stages, about 2 h 11 min');
});
