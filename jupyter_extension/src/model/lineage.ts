/** Ways through a graph: all that comes before or after a node, and the node that an arrow key leads to. */

import type { Layout, Placed } from './graph-layout';

/** For each node the nodes before it. */
export type Edges = ReadonlyMap<string, readonly string[]>;

export type Way = 'upstream' | 'downstream';

/** A node with all that lead to it, or with all that it leads to. */
export function lineage(edges: Edges, key: string, way: Way): Set<string> {
  const next = way === 'upstream' ? edges : reversed(edges);
  const found = new Set<string>();
  const open = [key];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (!found.has(one)) {
      found.add(one);
      open.push(...(next.get(one) ?? []));
    }
  }
  return found;
}

function reversed(edges: Edges): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [key, sources] of edges) {
    for (const source of sources) {
      const after = found.get(source);
      if (after === undefined) {
        found.set(source, [key]);
      } else {
        after.push(key);
      }
    }
  }
  return found;
}

/** The node that an arrow key leads to: along a line to the left or right, the nearest in the layer up or down. */
export function neighbour(key: string, arrow: string, placed: Layout, edges: Edges): string | undefined {
  const here = placed.nodes.get(key);
  if (here === undefined) {
    return undefined;
  }
  const nodes = [...placed.nodes.values()];
  if (arrow === 'ArrowLeft' || arrow === 'ArrowRight') {
    const sign = arrow === 'ArrowRight' ? 1 : -1;
    const joined =
      sign < 0 ? edges.get(key)?.[0] : [...edges].find(([, sources]) => sources.includes(key))?.[0];
    // Where no line goes on, another group may stand beside this one.
    return joined ?? nearest(nodes, here, node => (node.x - here.x) * sign > 0);
  }
  const sign = arrow === 'ArrowDown' ? 1 : -1;
  const isBeyond = (node: Placed): boolean => (node.y - here.y) * sign > 0;
  return nearest(nodes, here, node => node.x === here.x && isBeyond(node)) ?? nearest(nodes, here, isBeyond);
}

function nearest(
  nodes: readonly Placed[],
  here: Placed,
  isMeant: (node: Placed) => boolean
): string | undefined {
  const far = (node: Placed): number => Math.hypot(node.x - here.x, node.y - here.y);
  const found = nodes.filter(isMeant);
  return found.length === 0 ? undefined : found.reduce((a, b) => (far(b) < far(a) ? b : a)).key;
}
