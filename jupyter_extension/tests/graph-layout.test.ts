import { describe, expect, test } from 'vitest';

import { edges, findingsOf, labelOf, lines, nodes, search } from '../src/model/grouping';
import { layout, NODE } from '../src/model/graph-layout';
import { EMPTY_SNAPSHOT } from '../src/model/snapshot';
import { stageViews } from '../src/model/stage-state';
import { P, planned } from './building';

/** The same numbers every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

function graph(size: number, seed: number): Map<string, string[]> {
  const next = random(seed);
  const found = new Map<string, string[]>();
  for (let at = 0; at < size; at++) {
    const before = new Set<string>();
    for (let count = Math.floor(next() * 3); at > 0 && count > 0; count--) {
      before.add(`n${Math.floor(next() * at)}`);
    }
    found.set(`n${at}`, [...before]);
  }
  return found;
}

describe('a layout', () => {
  test('of nothing is nothing', () => {
    expect(layout(new Map())).toEqual({ nodes: new Map(), lines: [], width: 0, height: 0 });
  });

  test('sets groups that no line joins side by side', () => {
    const shops = Array.from({ length: 40 }, (_, at) => [`a${at}`, `b${at}`, `c${at}`] as const);
    const before = new Map(
      shops.flatMap(([a, b, c]): [string, string[]][] => [
        [a, []],
        [b, [a]],
        [c, [b]]
      ])
    );
    const { nodes, lines, width, height } = layout(before);
    expect(width / height).toBeGreaterThan(1);
    expect(width / height).toBeLessThan(3);
    expect([nodes.get('a0'), nodes.get('a1')?.y]).toEqual([{ key: 'a0', x: 0, y: 0 }, 0]);
    const [b, c] = [nodes.get('b39'), nodes.get('c39')];
    const last = lines.find(line => line.to === 'c39')?.path ?? '';
    expect(last.startsWith(`M${(b?.x ?? 0) + NODE.width} ${(b?.y ?? 0) + NODE.height / 2}C`)).toBe(true);
    expect(last.endsWith(` ${c?.x} ${(c?.y ?? 0) + NODE.height / 2}`)).toBe(true);
  });

  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'goes from left to right without overlaps (%i)',
    seed => {
      const before = graph(1 + seed * 4, seed + 1);
      const found = layout(before);
      const placed = [...found.nodes.values()];
      expect(placed).toHaveLength(before.size);
      for (const [key, sources] of before) {
        for (const source of sources) {
          expect(found.nodes.get(source)?.x).toBeLessThan(found.nodes.get(key)?.x ?? 0);
        }
      }
      for (const [at, one] of placed.entries()) {
        expect(one.y).toBeGreaterThanOrEqual(0);
        expect(one.y + NODE.height).toBeLessThanOrEqual(found.height + 1e-6);
        expect(one.x + NODE.width).toBeLessThanOrEqual(found.width);
        for (const other of placed.slice(at + 1)) {
          expect(one.x !== other.x || Math.abs(one.y - other.y) >= NODE.height).toBe(true);
        }
      }
      expect(found.lines).toHaveLength([...before.values()].flat().length);
      expect(found.lines.every(line => /^M[-\d.]+ [-\d.]+(C[-\d. ]+|H[-\d.]+)+$/.test(line.path))).toBe(true);
    }
  );

  test('of a cycle comes to an end', () => {
    const before = new Map([
      ['a', ['b']],
      ['b', ['a']],
      ['c', ['c', 'gone']]
    ]);
    expect(layout(before).nodes.size).toBe(3);
  });

  test('of 500 stages takes little', () => {
    const before = graph(500, 7);
    const started = performance.now();
    layout(before);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('folding', () => {
  const views = stageViews(EMPTY_SNAPSHOT, P, [
    planned('load'),
    planned('fit@1', { upstream: ['load'] }),
    planned('fit@2', { upstream: ['load'] }),
    planned('join', { upstream: ['fit@1', 'fit@2'] })
  ]);

  test('makes one node of all instances, with the lines of all', () => {
    const folded = nodes(views, new Set());
    expect(folded.map(entry => [entry.key, entry.views.length])).toEqual([
      ['load', 1],
      ['fit', 2],
      ['join', 1]
    ]);
    expect(Object.fromEntries(edges(folded))).toEqual({ load: [], fit: ['load'], join: ['fit'] });
    expect(Object.fromEntries(edges(nodes(views, new Set(['fit']))))).toEqual({
      load: [],
      'fit@1': ['load'],
      'fit@2': ['load'],
      join: ['fit@1', 'fit@2']
    });
  });

  test('keeps the head of an open group in a list', () => {
    expect(lines(views, new Set(['fit'])).map(entry => [entry.key, entry.label, entry.level])).toEqual([
      ['load', 'load', 0],
      ['fit', 'fit', 0],
      ['fit@1', '@1', 1],
      ['fit@2', '@2', 1],
      ['join', 'join', 0]
    ]);
  });

  test('a search looks at names, states and notebooks', () => {
    expect(search(views, 'FIT 2').map(view => view.id)).toEqual(['fit@2']);
    expect(search(views, 'run join.ipynb').map(view => view.id)).toEqual(['join']);
    expect(search(views, '')).toHaveLength(4);
  });
});

test('an entry tells what its contracts came to, a folded one of how many', () => {
  const plan = ['s@1', 's@2', 's@3', 't'].map(id => planned(id));
  const views = stageViews(EMPTY_SNAPSHOT, P, plan).map(view => ({
    ...view,
    findings: view.id === 's@3' ? '' : '1 warning'
  }));
  const [group, single] = nodes(views, new Set());
  expect([group, single].map(entry => entry && findingsOf(entry))).toEqual([
    'checks do not hold in 2',
    '1 warning'
  ]);
  expect([group, single].map(entry => entry && labelOf(entry))).toEqual([
    's, 3 instances, would run, checks do not hold in 2',
    't, would run, 1 warning'
  ]);
  expect(search(views, 'warning').map(view => view.id)).toEqual(['s@1', 's@2', 't']);
});
