import { expect, test } from 'vitest';

import { layout } from '../src/model/graph-layout';
import { lineage, neighbour } from '../src/model/lineage';

//  a → b → d → e
//  a → c → d,  x alone
const EDGES = new Map([
  ['a', []],
  ['b', ['a']],
  ['c', ['a']],
  ['d', ['b', 'c']],
  ['e', ['d']],
  ['x', []]
]);

test.each([
  ['d', 'upstream', 'abcd'],
  ['d', 'downstream', 'de'],
  ['a', 'upstream', 'a'],
  ['a', 'downstream', 'abcde'],
  ['x', 'downstream', 'x']
] as const)('%s %s', (key, way, found) => {
  expect([...lineage(EDGES, key, way)].sort().join('')).toBe(found);
});

test('the ways of a circle come to an end', () => {
  const circle = new Map([
    ['a', ['b']],
    ['b', ['a']]
  ]);
  expect(lineage(circle, 'a', 'upstream').size).toBe(2);
  expect(lineage(circle, 'a', 'downstream').size).toBe(2);
});

test('arrow keys follow the lines, and move within a layer', () => {
  const placed = layout(EDGES);
  const to = (key: string, arrow: string) => neighbour(key, `Arrow${arrow}`, placed, EDGES);
  expect(to('d', 'Left')).toBe('b');
  expect(to('d', 'Right')).toBe('e');
  expect(to('b', 'Down')).toBe('c');
  expect(to('c', 'Up')).toBe('b');
  expect(to('e', 'Right')).toBeUndefined();
  expect(to('gone', 'Left')).toBeUndefined();
});

test('arrow keys lead to every node, also to groups that no line joins', () => {
  const edges = new Map(
    Array.from({ length: 30 }, (_, at) => at).flatMap((at): [string, string[]][] => [
      [`a${at}`, []],
      [`b${at}`, at % 3 === 0 ? [] : [`a${at}`]]
    ])
  );
  const placed = layout(edges);
  const reached = new Set(['a0']);
  for (const key of reached) {
    for (const arrow of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
      const next = neighbour(key, arrow, placed, edges);
      if (next !== undefined) {
        reached.add(next); // and so it is looked at, too
      }
    }
  }
  expect(reached.size).toBe(edges.size);
});
