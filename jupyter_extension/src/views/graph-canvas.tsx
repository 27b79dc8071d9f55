/** The drawing of the graph: cards and lines, what the mouse and the keys do there, and the minimap. */

import * as React from 'react';

import { cardOf } from '../model/card';
import type { Layout } from '../model/graph-layout';
import type { Entry } from '../model/grouping';
import { type Edges, neighbour, type Way } from '../model/lineage';
import type { Context } from './context';
import { GraphNode } from './graph-node';
import { Minimap } from './minimap';
import { MARGIN, useViewport, type Viewport } from './viewport';
import { useWiring, WireLine } from './wiring';

const WAYS: Readonly<Record<string, Way>> = { u: 'upstream', d: 'downstream' };

/** What zooms the graph. */
export type Zooming = Pick<Viewport, 'zoom' | 'fit'>;

interface Props {
  readonly context: Context;
  readonly entries: readonly Entry[];
  readonly placed: Layout;
  readonly edges: Edges;
  /** What the graph fits into. */
  readonly room: React.RefObject<HTMLElement>;
  /** What is drawn: with another one it begins anew. */
  readonly subject: string;
  /** What was searched for, and the first node that it found. */
  readonly searched: string;
  readonly found: string | undefined;
  /** The key of the selected entry. */
  readonly selected: string | null;
  /** The nodes that are shown; the others are dimmed. `null`: all. */
  readonly shown: ReadonlySet<string> | null;
  /** The nodes before or after a stage, whose lines stand out; `null` where none are asked for. */
  readonly traced: ReadonlySet<string> | null;
  readonly unfold: (key: string) => void;
  /** Show the details of what is selected. */
  readonly open: () => void;
  /** Told what zooms the graph. */
  readonly zoom: React.MutableRefObject<Zooming | null>;
  readonly trace: (key: string, way: Way) => void;
  /** The Escape key. */
  readonly leave: () => void;
}

export function GraphCanvas(props: Props): React.JSX.Element {
  const { context, entries, placed, selected, shown } = props;
  const { store, trans } = context;
  const scroll = React.useRef<HTMLDivElement>(null);
  const viewport = useViewport(scroll, props.room, placed, props.subject);
  React.useEffect(() => {
    props.zoom.current = viewport;
  });
  // The stage that is chosen, in whatever view, is brought into sight, and so is what a search finds.
  useRevealed(viewport, selected ?? undefined, [store.asked, viewport.isReady]);
  useRevealed(viewport, props.found, [props.searched]);
  const [last, setLast] = React.useState('');
  const isThere = (key: string | null): boolean => key !== null && placed.nodes.has(key);
  const stop = [selected, last].find(key => key !== null && isThere(key)) ?? entries[0]?.key;
  const stageOf = (key: string): string => entries.find(entry => entry.key === key)?.views[0]?.stage ?? key;
  const wiring = useWiring((from, to) => context.actions.connect(stageOf(from), stageOf(to)));
  const portTitle = trans.__('Drag to a stage that is to read an output of this one');
  const chosen = new Set(store.planner.draft.stages);
  const width = placed.width + 2 * MARGIN;
  const height = placed.height + 2 * MARGIN;
  const entryOf = (event: React.SyntheticEvent): Entry | undefined => {
    const key = (event.target as Element).closest<SVGGElement>('.sb-Node')?.dataset.key;
    return entries.find(entry => entry.key === key);
  };
  return (
    <div className="sb-GraphArea">
      <div className="sb-Scroll" ref={scroll} onPointerDown={viewport.onPointerDown}>
        <svg
          role="group"
          aria-label={trans.__('Graph of %1', store.pipeline?.name ?? '')}
          aria-description={trans.__(
            'Arrow keys follow the lines; U and D show what comes before and after a stage'
          )}
          width={width * viewport.scale}
          height={height * viewport.scale}
          viewBox={`${-MARGIN} ${-MARGIN} ${width} ${height}`}
          onPointerDown={wiring.onPointerDown}
          onClick={event => click(props, entryOf(event), event.ctrlKey || event.metaKey)}
          onContextMenu={event => select(props, entryOf(event))}
          onFocus={event => {
            const entry = entryOf(event);
            setLast(entry?.key ?? '');
            select(props, entry);
          }}
          onDoubleClick={event => openOrUnfold(props, entryOf(event), false)}
          onKeyDown={event => {
            const entry = entryOf(event);
            if (entry !== undefined && press(props, entry, event)) {
              event.preventDefault();
              event.stopPropagation();
            }
          }}
        >
          <Lines placed={placed} selected={selected} traced={props.traced} />
          {entries.map(entry => {
            const at = placed.nodes.get(entry.key);
            return at === undefined ? null : (
              <GraphNode
                key={entry.key}
                at={at}
                card={cardOf(entry)}
                folded={entry.folded}
                isSelected={entry.key === selected}
                isChosen={chosen.has(entry.key)}
                canConnect={entry.unit === 'instance'}
                portTitle={portTitle}
                dim={shown !== null && !shown.has(entry.key)}
                isStop={entry.key === stop}
              />
            );
          })}
          <WireLine wire={wiring.wire} />
        </svg>
      </div>
      <Minimap entries={entries} placed={placed} scroll={scroll} scale={viewport.scale} />
    </div>
  );
}

/** Bring a node into sight when it becomes another one, or when what it depends on changes. */
function useRevealed({ reveal }: Viewport, key: string | undefined, depends: readonly unknown[]): void {
  const revealing = React.useRef(reveal);
  revealing.current = reveal;
  React.useEffect(() => {
    if (key !== undefined) {
      revealing.current(key);
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller says what it depends on
  }, [key, ...depends]);
}

function select({ context }: Props, entry: Entry | undefined): void {
  if (entry !== undefined) {
    context.store.select(entry.key);
  }
}

function click(props: Props, entry: Entry | undefined, isChoosing: boolean): void {
  select(props, entry);
  if (entry === undefined) {
    return;
  }
  props.open();
  if (isChoosing && entry.unit === 'instance') {
    props.context.store.planner.toggle(entry.key);
  }
}

function openOrUnfold(props: Props, entry: Entry | undefined, isExecuted: boolean): void {
  const view = entry?.views[0];
  if (entry === undefined || view === undefined) {
    return;
  }
  const { actions } = props.context;
  if (entry.folded) {
    props.unfold(entry.key);
  } else {
    (isExecuted ? actions.openExecuted : actions.openNotebook)(view.id);
  }
}

/** What a key does on a node; whether it does anything. */
function press(props: Props, entry: Entry, event: React.KeyboardEvent): boolean {
  const { key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  const way = WAYS[key.toLowerCase()];
  if (way !== undefined) {
    props.trace(entry.key, way);
  } else if (key === 'Enter' || (key === ' ' && entry.folded)) {
    openOrUnfold(props, entry, event.shiftKey);
    select(props, entry);
  } else if (key === ' ') {
    select(props, entry);
    props.open();
  } else if (key === 'Escape') {
    props.leave();
  } else if (key.startsWith('Arrow')) {
    const next = neighbour(entry.key, key, props.placed, props.edges);
    const nodes = [...event.currentTarget.querySelectorAll<SVGGElement>('.sb-Node')];
    nodes.find(one => one.dataset.key === next)?.focus();
  } else {
    return false;
  }
  return true;
}

const Lines = React.memo(function Lines(props: {
  placed: Layout;
  selected: string | null;
  traced: ReadonlySet<string> | null;
}): React.JSX.Element {
  const { placed, selected, traced } = props;
  return (
    <g className="sb-Edges" aria-hidden="true" data-traced={traced !== null}>
      {placed.lines.map(line => (
        <path
          key={`${line.from} ${line.to}`}
          d={line.path}
          data-near={
            traced === null
              ? line.from === selected || line.to === selected
              : traced.has(line.from) && traced.has(line.to)
          }
        />
      ))}
    </g>
  );
});
