/** Stages whose names begin alike, as one node where a pipeline has too many for a picture. */

import type { Edges } from './lineage';

const MANY = 60; // stages from which on they are folded
const LEAST = 3; // stages that are worth a fold
const BEGINNING = /^([^_.-]+)[_.-]/;

/**
 * The folds of a graph of stages: beginning → the stages. A beginning is the part of a name before the first `_`, `-`
 * or `.`. What would make a circle of the folded graph stays unfolded.
 */
export function prefixes(edges: Edges): Map<string, string[]> {
  const found = new Map<string, string[]>();
  if (edges.size <= MANY) {
    return found;
  }
  for (const name of edges.keys()) {
    const beginning = BEGINNING.exec(name)?.[1];
    if (beginning !== undefined) {
      found.set(beginning, [...(found.get(beginning) ?? []), name]);
    }
  }
  for (const [beginning, names] of found) {
    if (names.length < LEAST) {
      found.delete(beginning);
    }
  }
  return isAcyclic(edges, found) ? found : oneByOne(edges, found);
}

function oneByOne(edges: Edges, wanted: ReadonlyMap<string, string[]>): Map<string, string[]> {
  const kept = new Map<string, string[]>();
  for (const [beginning, names] of wanted) {
    kept.set(beginning, names);
    if (!isAcyclic(edges, kept)) {
      kept.delete(beginning);
    }
  }
  return kept;
}

/** Whether the folded graph has no circle: all of its nodes can be taken away, each after those before it. */
function isAcyclic(edges: Edges, folds: ReadonlyMap<string, readonly string[]>): boolean {
  const owner = new Map<string, string>();
  for (const [beginning, names] of folds) {
    names.forEach(name => owner.set(name, `${beginning}/`));
  }
  const of = (name: string): string => owner.get(name) ?? name;
  const after = new Map<string, Set<string>>();
  const open = new Map<string, number>();
  for (const [name, sources] of edges) {
    const to = of(name);
    open.set(to, open.get(to) ?? 0);
    for (const from of sources.map(of)) {
      const known = after.get(from) ?? new Set();
      after.set(from, known);
      if (from !== to && !known.has(to)) {
        known.add(to);
        open.set(to, (open.get(to) ?? 0) + 1);
        open.set(from, open.get(from) ?? 0);
      }
    }
  }
  const free = [...open].filter(([, count]) => count === 0).map(([name]) => name);
  let taken = 0;
  for (let name = free.pop(); name !== undefined; name = free.pop()) {
    taken += 1;
    for (const next of after.get(name) ?? []) {
      const count = (open.get(next) ?? 0) - 1;
      open.set(next, count);
      if (count === 0) {
        free.push(next);
      }
    }
  }
  return taken === open.size;
}
