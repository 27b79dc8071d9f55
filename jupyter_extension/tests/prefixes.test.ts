import { describe, expect, test } from 'vitest';

import { edges, foldable, labelOf, nodes, sizeOf } from '../src/model/grouping';
import { prefixes } from '../src/model/prefixes';
import { layout } from '../src/model/graph-layout';
import { EMPTY_SNAPSHOT } from '../src/model/snapshot';
import { stageViews, type StageView } from '../src/model/stage-state';
import { P, planned } from './building';

/** Twenty chains `g0_load → g0_fit → g0_report`, and some stages more. */
function large(more: [string, string[]][] = []): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (let at = 0; at < 20; at++) {
    found.set(`g${at}_load`, []);
    found.set(`g${at}_fit`, [`g${at}_load`]);
    found.set(`g${at}-report`, [`g${at}_fit`]);
  }
  found.set(
    'join',
    [...found.keys()].filter(name => name.endsWith('report'))
  );
  more.forEach(([name, before]) => found.set(name, before));
  return found;
}

function views(of: ReadonlyMap<string, string[]>): StageView[] {
  return stageViews(
    EMPTY_SNAPSHOT,
    P,
    [...of].map(([id, upstream]) => planned(id, { upstream }))
  );
}

describe('stages whose names begin alike', () => {
  test('are one node in a large pipeline', () => {
    const shown = nodes(views(large()), new Set());
    expect(shown).toHaveLength(21);
    expect(shown[0]).toMatchObject({ key: 'g0/*', label: 'g0 …', folded: true, unit: 'stage' });
    expect(shown[0] && [sizeOf(shown[0]), labelOf(shown[0])]).toEqual([
      '3 stages',
      'g0 …, 3 stages, would run'
    ]);
    expect(edges(shown).get('join')).toHaveLength(20);
    expect(layout(edges(shown)).lines).toHaveLength(20);
  });

  test('are unfolded one by one, or all', () => {
    const all = views(large());
    expect(nodes(all, new Set(['g0/*'])).map(entry => entry.key)).toEqual(
      expect.arrayContaining(['g0_load', 'g0_fit', 'g0-report', 'g1/*', 'join'])
    );
    expect(nodes(all, new Set(foldable(all)))).toHaveLength(61);
  });

  test('stay apart in a small pipeline, and where there are only two of them', () => {
    const some = new Map([...large()].slice(0, 60));
    expect(prefixes(some).size).toBe(0);
    expect(
      prefixes(
        large([
          ['two_a', []],
          ['two_b', []]
        ])
      ).has('two')
    ).toBe(false);
  });

  test('instances count as one stage', () => {
    const all = views(
      large([
        ['many@1', []],
        ['many@2', []],
        ['many@3', []]
      ])
    );
    const shown = nodes(all, new Set());
    expect(shown.find(entry => entry.key === 'many')).toMatchObject({ unit: 'instance', folded: true });
    expect(foldable(all)).toContain('many');
  });

  test('are not folded where that would make a circle', () => {
    // a_1 → b_1 and b_2 → a_2: as two nodes each would come before the other.
    const found = prefixes(
      large([
        ['a_1', []],
        ['a_2', ['b_2']],
        ['a_3', []],
        ['b_1', ['a_1']],
        ['b_2', []],
        ['b_3', []],
        ['c_1', []],
        ['other', ['c_1']],
        ['c_2', ['other']],
        ['c_3', []]
      ])
    );
    expect(found.has('a') && found.has('b')).toBe(false);
    expect(found.has('a') || found.has('b')).toBe(true);
    expect(found.has('c')).toBe(false);
    expect(found.has('g0')).toBe(true);
  });
});

test('the place of a node depends on the shape alone', () => {
  const plain = views(large());
  const changed = plain.map(view => ({
    ...view,
    state: 'failed' as const,
    why: 'a long reason',
    findings: 'x'
  }));
  const placed = (of: StageView[]) => layout(edges(nodes(of, new Set())));
  expect(placed(changed)).toEqual(placed(plain));
});
