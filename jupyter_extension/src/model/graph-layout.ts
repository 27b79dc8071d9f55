/**
 * A layered layout of a graph without cycles: from left to right, each node right of all that come
 * before it. Lines that pass layers keep a lane there, so that they go around nodes. Within a layer
 * the order comes from the mean place of the neighbours (Sugiyama, Tagawa and Toda 1981).
 */

export const NODE = { width: 224, height: 68 };
const GAP = { x: 52, y: 16 };
const LANE = 10; // the height of a passing line
const SWEEPS = 6;
const APART = 48; // between rows of groups that no line joins
const SHAPE = 1.8; // how many times as wide as high these are together

export interface Placed {
  readonly key: string;
  readonly x: number;
  readonly y: number;
}

export interface Line {
  readonly from: string;
  readonly to: string;
  /** The data of an SVG path. */
  readonly path: string;
}

export interface Layout {
  readonly nodes: ReadonlyMap<string, Placed>;
  readonly lines: readonly Line[];
  readonly width: number;
  readonly height: number;
}

interface Cell {
  readonly key: string;
  readonly height: number;
  readonly before: Cell[];
  readonly after: Cell[];
  layer: number;
  rank: number;
  y: number;
}

/** Place nodes. `before` has the nodes before each node; its keys are all nodes. Those that no line joins stand side by side, in rows. */
export function layout(before: ReadonlyMap<string, readonly string[]>): Layout {
  const groups = groupsOf(before).map(layered);
  const area = groups.reduce((sum, { width, height }) => sum + (width + GAP.x) * (height + APART), 0);
  const most = Math.max(Math.sqrt(area * SHAPE), ...groups.map(group => group.width));
  const nodes = new Map<string, Placed>();
  const lines: Line[] = [];
  const row = { x: 0, y: 0, height: 0 };
  let width = 0;
  for (const group of groups) {
    if (row.x > 0 && row.x + group.width > most) {
      Object.assign(row, { x: 0, y: row.y + row.height + APART, height: 0 });
    }
    for (const [key, cell] of group.cells) {
      nodes.set(key, { key, x: row.x + xOf(cell.layer), y: row.y + cell.y });
    }
    for (const route of group.routes) {
      lines.push({ from: route.from.key, to: route.to.key, path: pathOf(route, row) });
    }
    width = Math.max(width, row.x + group.width);
    row.x += group.width + GAP.x;
    row.height = Math.max(row.height, group.height);
  }
  return { nodes, lines, width, height: row.y + row.height };
}

/** The nodes that lines join, each group with what `before` has of it, in the order of their first nodes. */
function groupsOf(before: ReadonlyMap<string, readonly string[]>): Map<string, readonly string[]>[] {
  const near = new Map<string, string[]>([...before.keys()].map(key => [key, []]));
  for (const [key, sources] of before) {
    for (const source of sources) {
      near.get(source)?.push(key);
      near.get(key)?.push(source);
    }
  }
  const groups: Map<string, readonly string[]>[] = [];
  const of = new Map<string, number>();
  for (const start of before.keys()) {
    if (of.has(start)) {
      continue;
    }
    const open = [start];
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      if (before.has(key) && !of.has(key)) {
        of.set(key, groups.length);
        open.push(...(near.get(key) ?? []));
      }
    }
    groups.push(new Map());
  }
  for (const [key, sources] of before) {
    groups[of.get(key) ?? 0]?.set(key, sources);
  }
  return groups;
}

interface Route {
  readonly from: Cell;
  readonly via: readonly Cell[];
  readonly to: Cell;
}

interface Layered {
  readonly cells: ReadonlyMap<string, Cell>;
  readonly routes: readonly Route[];
  readonly width: number;
  readonly height: number;
}

/** Place nodes that lines join. */
function layered(before: ReadonlyMap<string, readonly string[]>): Layered {
  const depth = depths(before);
  const cells = new Map<string, Cell>();
  const layers: Cell[][] = [];
  const add = (key: string, layer: number, height: number): Cell => {
    const cell: Cell = { key, height, before: [], after: [], layer, rank: 0, y: 0 };
    (layers[layer] ??= []).push(cell);
    return cell;
  };
  for (const key of before.keys()) {
    cells.set(key, add(key, depth.get(key) ?? 0, NODE.height));
  }
  const lanes = new Map<string, Cell[]>();
  const routes: Route[] = [];
  for (const [key, sources] of before) {
    const to = cells.get(key);
    for (const source of sources) {
      const from = cells.get(source);
      if (from === undefined || to === undefined) {
        continue;
      }
      // All lines that leave a node share its lanes.
      const own = lanes.get(source) ?? [];
      lanes.set(source, own);
      for (let layer = from.layer + 1 + own.length; layer < to.layer; layer++) {
        const lane = add('', layer, LANE);
        join(own[own.length - 1] ?? from, lane);
        own.push(lane);
      }
      const via = own.slice(0, Math.max(0, to.layer - from.layer - 1));
      join(via[via.length - 1] ?? from, to);
      routes.push({ from, to, via });
    }
  }
  arrange(layers);
  const height = place(layers);
  return { cells, routes, width: xOf(layers.length - 1) + NODE.width, height };
}

function join(from: Cell, to: Cell): void {
  from.after.push(to);
  to.before.push(from);
}

function xOf(layer: number): number {
  return layer * (NODE.width + GAP.x);
}

/** The length of the longest way to each node. Comes to an end with cycles, too. */
function depths(before: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const found = new Map<string, number>();
  const entered = new Set<string>();
  for (const start of before.keys()) {
    const open = [start];
    while (open.length > 0) {
      const key = open[open.length - 1] as string;
      if (found.has(key)) {
        open.pop();
        continue;
      }
      const sources = (before.get(key) ?? []).filter(source => before.has(source));
      const missing = sources.filter(source => !found.has(source) && !entered.has(source));
      entered.add(key);
      if (missing.length > 0) {
        open.push(...missing);
        continue;
      }
      found.set(key, Math.max(-1, ...sources.map(source => found.get(source) ?? -1)) + 1);
      open.pop();
    }
  }
  return found;
}

/** Order each layer by where its neighbours are, forth and back. */
function arrange(layers: Cell[][]): void {
  const number = (layer: Cell[]): void => {
    layer.forEach((cell, at) => {
      cell.rank = at;
    });
  };
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) {
      const wanted = new Map<Cell, number>();
      for (const cell of layer) {
        const near = forth ? cell.before : cell.after;
        wanted.set(cell, near.length === 0 ? cell.rank : mean(near.map(one => one.rank)));
      }
      layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || a.rank - b.rank);
      number(layer);
    }
  }
}

/** Give each node its height in the picture: near its neighbours, in the order of its layer. */
function place(layers: Cell[][]): number {
  for (const layer of layers) {
    let y = 0;
    for (const cell of layer) {
      cell.y = y;
      y += cell.height + GAP.y;
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) {
      settle(layer, cell => (forth ? cell.before : cell.after));
    }
  }
  const cells = layers.flat();
  const top = Math.min(0, ...cells.map(cell => cell.y));
  const lowest = Math.min(...cells.map(cell => cell.y));
  const shift = Number.isFinite(lowest) ? lowest : top;
  let height = 0;
  for (const cell of cells) {
    cell.y -= shift;
    height = Math.max(height, cell.y + cell.height);
  }
  return height;
}

/** Move the cells of a layer to where their neighbours are, without overlaps: cells that would
 * overlap form blocks, and a block goes to the mean of what its cells want. */
function settle(layer: readonly Cell[], near: (cell: Cell) => readonly Cell[]): void {
  const blocks: { cells: Cell[]; sum: number; size: number; y: number }[] = [];
  for (const cell of layer) {
    const around = near(cell);
    const middle = around.length === 0 ? cell.y : mean(around.map(centre)) - cell.height / 2;
    let block = { cells: [cell], sum: middle, size: cell.height + GAP.y, y: middle };
    for (
      let last = blocks[blocks.length - 1];
      last !== undefined && last.y + last.size > block.y;
      last = blocks[blocks.length - 1]
    ) {
      blocks.pop();
      const sum = last.sum + block.sum - block.cells.length * last.size;
      const cells = [...last.cells, ...block.cells];
      block = { cells, sum, size: last.size + block.size, y: sum / cells.length };
    }
    blocks.push(block);
  }
  for (const block of blocks) {
    let y = block.y;
    for (const cell of block.cells) {
      cell.y = y;
      y += cell.height + GAP.y;
    }
  }
}

function centre(cell: Cell): number {
  return cell.y + cell.height / 2;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function pathOf({ from, via, to }: Route, at: { readonly x: number; readonly y: number }): string {
  let x = at.x + xOf(from.layer) + NODE.width;
  let y = at.y + centre(from);
  let path = `M${round(x)} ${round(y)}`;
  for (const cell of [...via, to]) {
    const nextX = at.x + xOf(cell.layer);
    const nextY = at.y + centre(cell);
    const bend = (nextX - x) / 2;
    path += `C${round(x + bend)} ${round(y)} ${round(nextX - bend)} ${round(nextY)} ${round(nextX)} ${round(nextY)}`;
    x = nextX;
    y = nextY;
    if (cell !== to) {
      x += NODE.width;
      path += `H${round(x)}`;
    }
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
