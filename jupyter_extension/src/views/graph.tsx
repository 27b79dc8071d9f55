/** The view in the main area: the graph of a pipeline, and all about the stage that is chosen. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { Details } from './stage-details';
import { stagebookIcon } from './icon';
import { edges, type Entry, nodes, search } from '../model/grouping';
import { layout, type Layout, NODE } from '../model/graph-layout';
import { cellOf, GLYPHS, progressOf, type StageView } from '../model/stage-state';
import { duration, plural } from '../model/format';
import {
  ConnectionNote,
  Counts,
  GivenParams,
  PipelineSelect,
  Problems,
  RunButtons,
  RunLine,
  useStore
} from './parts';

const ZOOM = { least: 0.15, most: 2.5, step: 1.25 };
const READABLE = 0.7; // the least scale that is chosen without being asked
const MARGIN = 24;

export class GraphView extends ReactWidget {
  constructor(private readonly _context: Context) {
    super();
    this.id = 'stagebook-graph';
    this.title.icon = stagebookIcon;
    this.title.label = _context.trans.__('Stagebook');
    this.title.closable = true;
    this.addClass('sb-Graph');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', _context.trans.__('Pipeline graph'));
  }

  protected override render(): React.JSX.Element {
    return <Graph context={this._context} />;
  }
}

function Graph(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const [text, setText] = React.useState('');
  const [zoom, setZoom] = React.useState<number | null>(null); // null: what fits, if it can be read
  const [open, setOpen] = React.useState<ReadonlySet<string>>(new Set());
  const views = store.views;
  const entries = nodes(views, open);
  const before = edges(entries);
  // Only the shape moves nodes; states change far more often.
  const shape = JSON.stringify([...before]);
  const placed = React.useMemo(() => layout(new Map(JSON.parse(shape) as [string, string[]][])), [shape]);
  const found = text === '' ? null : new Set(search(views, text).map(view => view.id));
  const groups = [...new Set(views.map(view => view.stage))].filter(
    name => views.filter(view => view.stage === name).length > 1
  );
  const scroll = React.useRef<HTMLDivElement>(null);
  const fit = useFit(scroll, placed);
  const scale = zoom ?? Math.max(READABLE, fit);
  const setScale = (value: number): void => setZoom(Math.max(ZOOM.least, Math.min(ZOOM.most, value)));
  const onWheel = (event: React.WheelEvent): void => {
    if (event.ctrlKey || event.metaKey) {
      setScale(scale * (event.deltaY < 0 ? ZOOM.step : 1 / ZOOM.step));
    }
  };
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Pipeline')}>
        <PipelineSelect context={context} />
        <RunButtons context={context} />
        <input
          className="sb-Search"
          type="search"
          aria-label={trans.__('Search stages')}
          placeholder={trans.__('Search stages')}
          value={text}
          onChange={event => setText(event.target.value)}
        />
        {groups.length > 0 && (
          <button className="sb-Button" onClick={() => setOpen(open.size > 0 ? new Set() : new Set(groups))}>
            {open.size > 0 ? trans.__('Fold all') : trans.__('Unfold all')}
          </button>
        )}
        <span className="sb-Zoom" role="group" aria-label={trans.__('Zoom')}>
          <button
            className="sb-Button"
            aria-label={trans.__('Smaller')}
            onClick={() => setScale(scale / ZOOM.step)}
          >
            −
          </button>
          <button className="sb-Button" onClick={() => setScale(fit)}>
            {trans.__('Fit')}
          </button>
          <button
            className="sb-Button"
            aria-label={trans.__('Larger')}
            onClick={() => setScale(scale * ZOOM.step)}
          >
            +
          </button>
        </span>
        <button className="sb-Button" onClick={() => context.actions.openHistory()}>
          {trans.__('Runs')}
        </button>
        <RunLine context={context} />
        <GivenParams context={context} />
        <Counts views={views} words />
      </div>
      <ConnectionNote context={context} />
      <Problems context={context} />
      <div className="sb-Body">
        <div className="sb-Scroll" ref={scroll} onWheel={onWheel}>
          <svg
            role="group"
            aria-label={trans.__('Graph of %1', store.pipeline?.name ?? '')}
            width={(placed.width + 2 * MARGIN) * scale}
            height={(placed.height + 2 * MARGIN) * scale}
            viewBox={`${-MARGIN} ${-MARGIN} ${placed.width + 2 * MARGIN} ${placed.height + 2 * MARGIN}`}
          >
            <Lines placed={placed} selected={store.selected} />
            {entries.map(entry => (
              <Node
                key={entry.key}
                context={context}
                entry={entry}
                placed={placed}
                before={before}
                dim={found !== null && !entry.views.some(view => found.has(view.id))}
                unfold={() => setOpen(new Set([...open, entry.key]))}
              />
            ))}
          </svg>
        </div>
        <Details context={context} view={store.view(store.selected)} />
      </div>
    </>
  );
}

/** The scale at which the whole graph can be seen, but no larger than it is. */
function useFit(scroll: React.RefObject<HTMLDivElement>, placed: Layout): number {
  const [size, setSize] = React.useState({ width: 0, height: 0 });
  React.useEffect(() => {
    const node = scroll.current;
    if (node === null) {
      return;
    }
    const observer = new ResizeObserver(() => {
      setSize({ width: node.clientWidth, height: node.clientHeight });
    });
    observer.observe(node);
    return () => observer.disconnect();
  }, [scroll]);
  if (size.width === 0 || placed.width === 0) {
    return 1;
  }
  const wanted = Math.min(
    (size.width - 4) / (placed.width + 2 * MARGIN),
    (size.height - 4) / (placed.height + 2 * MARGIN)
  );
  return Math.max(ZOOM.least, Math.min(1, wanted));
}

const Lines = React.memo(function Lines(props: {
  placed: Layout;
  selected: string | null;
}): React.JSX.Element {
  return (
    <g className="sb-Edges" aria-hidden="true">
      {props.placed.lines.map(line => (
        <path
          key={`${line.from} ${line.to}`}
          d={line.path}
          data-near={line.from === props.selected || line.to === props.selected}
        />
      ))}
    </g>
  );
});

function Node(props: {
  context: Context;
  entry: Entry;
  placed: Layout;
  before: ReadonlyMap<string, readonly string[]>;
  dim: boolean;
  unfold: () => void;
}): React.JSX.Element | null {
  const { entry, placed } = props;
  const { store, actions } = props.context;
  const at = placed.nodes.get(entry.key);
  const view = entry.views[0];
  if (at === undefined || view === undefined) {
    return null;
  }
  const isSelected = store.selected === entry.key;
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
  const second = entry.folded ? plural(entry.views.length, 'instance') : secondLine(view);
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
      data-chosen={store.order.stages.includes(entry.key)}
      onClick={event => {
        store.select(entry.key);
        if (event.ctrlKey || event.metaKey) {
          store.toggle(entry.key);
          store.setOrdering(true);
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
      {store.order.stages.includes(entry.key) && (
        <text className="sb-NodeChosen" x={NODE.width - 8} y={19} textAnchor="end">
          ☑
        </text>
      )}
      <rect className="sb-Mark" width={4} height={NODE.height} rx={2} />
      <text className="sb-NodeGlyph" x={18} y={28} textAnchor="middle">
        {GLYPHS[entry.state]}
      </text>
      <svg width={NODE.width - 5} height={NODE.height}>
        <text className="sb-NodeName" x={34} y={19}>
          {clip(entry.label, 30)}
        </text>
        <text className="sb-NodeDetail" x={34} y={35}>
          {clip(entry.folded ? `${second} · ${summary(entry)}` : second, 40)}
        </text>
      </svg>
      {part !== null && (
        <rect className="sb-NodeProgress" y={NODE.height - 3} width={NODE.width * part} height={3} />
      )}
    </g>
  );
}

function secondLine(view: StageView): string {
  const info = view.info;
  const cell = cellOf(view);
  if (cell) {
    return `${view.state} ${cell}`;
  }
  if ((view.state === 'done' || view.state === 'fresh') && info?.started && info.ended) {
    return `${view.state} · ${duration(info.ended - info.started)}`;
  }
  return view.why ? `${view.state} · ${view.why}` : view.state;
}

function summary(entry: Entry): string {
  const alike = entry.views.filter(view => view.state === entry.state).length;
  return alike === entry.views.length ? entry.state : `${alike} ${entry.state}`;
}

function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function labelOf(entry: Entry): string {
  const view = entry.views[0];
  if (entry.folded || view === undefined) {
    return `${entry.label}, ${plural(entry.views.length, 'instance')}, ${summary(entry)}`;
  }
  return [view.id, view.state, cellOf(view), view.why].filter(Boolean).join(', ');
}

/** The node in a direction: along a line to the left and right, the nearest in the layer up and down. */
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
