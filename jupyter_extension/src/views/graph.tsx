/** The view in the main area: the graph of a pipeline, and the stage that is chosen. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { GraphNode } from './graph-node';
import { useStore } from './hooks';
import { stagebookIcon } from './icon';
import { edges, nodes, search } from '../model/grouping';
import { layout, type Layout } from '../model/graph-layout';
import { ConnectionNote, Counts, GivenParams, PipelineSelect, Problems, RunButtons, RunLine } from './parts';
import { StageDetails } from './stage-details';

const ZOOM = { least: 0.15, most: 2.5, step: 1.25 };
const READABLE = 0.7; // the smallest scale before somebody zooms
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
  const [zoom, setZoom] = React.useState<number | null>(null); // null: the graph fits, unless it gets too small
  const [open, setOpen] = React.useState<ReadonlySet<string>>(new Set());
  const views = store.views;
  const entries = nodes(views, open);
  const before = edges(entries);
  // The layout depends on the shape alone; states change far more often.
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
        <button className="sb-Button" onClick={() => context.actions.openRuns()}>
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
              <GraphNode
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
        <StageDetails context={context} view={store.view(store.selected)} />
      </div>
    </>
  );
}

/** The scale at which the whole graph fits, at most 1. */
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
