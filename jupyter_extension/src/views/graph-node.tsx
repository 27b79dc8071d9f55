/** A node of the graph. */

import * as React from 'react';

import { duration, plural } from '../model/format';
import { type Layout, NODE } from '../model/graph-layout';
import { type Entry, findingsOf, labelOf, summaryOf } from '../model/grouping';
import { cellOf, GLYPHS, progressOf, type StageView } from '../model/stage-state';
import type { Context } from './context';
import { fit } from './fitting';

const TEXT = NODE.width - 44; // pixels between the sign and the right side

/** A stage, or a folded group of instances. */
export function GraphNode(props: {
  context: Context;
  entry: Entry;
  placed: Layout;
  before: ReadonlyMap<string, readonly string[]>;
  isSelected: boolean;
  dim: boolean;
  unfold: () => void;
}): React.JSX.Element | null {
  const { entry, placed, isSelected } = props;
  const { store, actions } = props.context;
  const { planner } = store;
  const at = placed.nodes.get(entry.key);
  const view = entry.views[0];
  if (at === undefined || view === undefined) {
    return null;
  }
  const press = (event: React.KeyboardEvent<SVGGElement>): void => {
    if (event.key === 'Enter' || event.key === ' ') {
      if (entry.folded) {
        props.unfold();
      } else if (event.key === 'Enter') {
        (event.shiftKey ? actions.openExecuted : actions.openNotebook)(view.id);
      }
      store.select(entry.key);
    } else if (event.key.startsWith('Arrow')) {
      const next = neighbour(entry.key, event.key, placed, props.before);
      const node = [...(event.currentTarget.parentElement?.querySelectorAll<SVGGElement>('.sb-Node') ?? [])];
      node.find(one => one.dataset.key === next)?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const part = entry.folded ? null : progressOf(view);
  const isChosen = planner.draft.stages.includes(entry.key);
  const findings = findingsOf(entry);
  const second = entry.folded
    ? [plural(entry.views.length, 'instance'), summaryOf(entry)].join(' · ')
    : secondLine(view);
  return (
    <g
      className="sb-Node"
      transform={`translate(${at.x} ${at.y})`}
      role="button"
      tabIndex={0}
      aria-pressed={isSelected}
      aria-label={labelOf(entry)}
      data-key={entry.key}
      data-state={entry.state}
      data-folded={entry.folded}
      data-dim={props.dim}
      data-selected={isSelected}
      data-chosen={isChosen}
      onClick={event => {
        store.select(entry.key);
        if (event.ctrlKey || event.metaKey) {
          planner.toggle(entry.key);
          planner.showForm(true);
        }
      }}
      onContextMenu={() => store.select(entry.key)}
      onFocus={() => store.select(entry.key)}
      onDoubleClick={() => (entry.folded ? props.unfold() : actions.openNotebook(view.id))}
      onKeyDown={press}
    >
      <title>{labelOf(entry)}</title>
      {entry.folded && (
        <rect className="sb-Behind" x={5} y={5} width={NODE.width} height={NODE.height} rx={5} />
      )}
      <rect className="sb-Box" width={NODE.width} height={NODE.height} rx={5} />
      {isChosen && (
        <text className="sb-NodeChosen" x={NODE.width - 8} y={19} textAnchor="end">
          ☑
        </text>
      )}
      {findings && (
        <text className="sb-NodeFindings" x={NODE.width - (isChosen ? 26 : 8)} y={19} textAnchor="end">
          !
        </text>
      )}
      <rect className="sb-Mark" width={4} height={NODE.height} rx={2} />
      <text className="sb-NodeGlyph" x={18} y={28} textAnchor="middle">
        {GLYPHS[entry.state]}
      </text>
      <svg width={NODE.width - 5} height={NODE.height}>
        <text className="sb-NodeName" x={34} y={19}>
          {fit(entry.label, TEXT - (isChosen ? 16 : 0) - (findings ? 14 : 0), 13)}
        </text>
        <text className="sb-NodeDetail" x={34} y={35}>
          {fit(findings ? `${entry.state} · ${findings}` : second, TEXT, 11)}
        </text>
      </svg>
      {part !== null && (
        <rect className="sb-NodeProgress" y={NODE.height - 3} width={NODE.width * part} height={3} />
      )}
    </g>
  );
}

/** The second line of a node: the state, and the cell, the time or the reason. */
function secondLine(view: StageView): string {
  const info = view.info;
  const cell = cellOf(view);
  if (cell) {
    return `${view.state} ${cell}`;
  }
  if ((view.state === 'completed' || view.state === 'up to date') && info?.started && info.ended) {
    return `${view.state} · ${duration(info.ended - info.started)}`;
  }
  return view.why ? `${view.state} · ${view.why}` : view.state;
}

/** The node that an arrow key leads to: along a line to the left or right, the nearest in the layer up or down. */
function neighbour(
  key: string,
  arrow: string,
  placed: Layout,
  before: ReadonlyMap<string, readonly string[]>
): string | undefined {
  const here = placed.nodes.get(key);
  if (here === undefined) {
    return undefined;
  }
  if (arrow === 'ArrowLeft') {
    return before.get(key)?.[0];
  }
  if (arrow === 'ArrowRight') {
    return [...before].find(([, sources]) => sources.includes(key))?.[0];
  }
  const sign = arrow === 'ArrowDown' ? 1 : -1;
  const layer = [...placed.nodes.values()].filter(node => node.x === here.x && (node.y - here.y) * sign > 0);
  layer.sort((a, b) => (a.y - b.y) * sign);
  return layer[0]?.key;
}
