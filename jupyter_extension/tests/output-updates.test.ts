import { describe, expect, test } from 'vitest';

import { isSame, type Output, outputUpdate } from '../src/model/output-updates';

const stream = (text: string, name = 'stdout'): Output => ({ output_type: 'stream', name, text });
const shown = (text: string): Output =>
  ({ output_type: 'display_data', data: { 'text/plain': text } }) as Output;

describe('only what is new is drawn', () => {
  test.each<[string, Output[], Output[], Output[]]>([
    ['nothing', [stream('a')], [stream('a')], []],
    ['a first output', [], [stream('a')], [stream('a')]],
    ['a stream that goes on', [stream('a')], [stream('a\nb')], [stream('\nb')]],
    ['another stream', [stream('a')], [stream('a'), stream('b', 'stderr')], [stream('b', 'stderr')]],
    ['a picture after a text', [stream('a')], [stream('ab'), shown('p')], [stream('b'), shown('p')]],
    ['pieces of one stream', [stream('a'), stream('b')], [stream('ab'), shown('p')], [shown('p')]]
  ])('%s', (_, before, now, added) => {
    expect(outputUpdate(before, now)).toEqual({ replaced: [], added });
  });

  test('a display that was updated is replaced in its place', () => {
    const now = [shown('50 %'), stream('a')];
    expect(outputUpdate([shown('10 %'), stream('a')], now)).toEqual({
      replaced: [[0, shown('50 %')]],
      added: []
    });
  });

  test.each<[string, Output[], Output[]]>([
    ['outputs that were cleared', [stream('a'), shown('p')], [stream('a')]],
    ['a stream that was cut', [stream('abc')], [stream('c')]],
    ['a stream that changed before the end', [stream('a'), shown('p')], [stream('ab'), shown('p')]],
    ['a stream that gave way', [stream('a')], [shown('a')]]
  ])('%s are drawn anew', (_, before, now) => {
    expect(outputUpdate(before, now)).toBeNull();
  });
});

test('values are the same by what is in them', () => {
  expect(isSame({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toBe(true);
  for (const other of [
    { a: [1] },
    { a: { 0: 1 } },
    {},
    null,
    [],
    { a: [1, { b: 0 }] },
    { b: [1, { b: null }] }
  ]) {
    expect(isSame({ a: [1, { b: null }] }, other)).toBe(false);
  }
});
