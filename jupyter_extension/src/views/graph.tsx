/** The view in the main area: the graph of a pipeline, and the stage that is chosen. */

import * as React from 'react';

import type { Context } from './context';
import { GraphNode } from './graph-node';
import { useStore } from './hooks';
import { MainView } from './main-view';
import { edges, nodes, search } from '../model/grouping';
import { layout, type Layout } from '../model/graph-layout';
import { MARGIN, useViewport, type Viewport } from './viewport';
import { ConnectionNote, Counts, GivenParams, PipelineSelect, Problems, RunButtons, RunLine } from './parts';
import { GroupDetails, StageDetails } from './stage-details';

export class GraphView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-graph', context.trans.__('Stagebook'));
    this.addClass('sb-Graph');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', context.trans.__('Pipeline graph'));
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
  const subject = `${store.projectPath}/${store.pipeline?.key ?? ''}`;
  const viewport = useViewport(scroll, placed, subject);
  React.useEffect(() => setOpen(new Set()), [subject]);

  // The stage that is chosen, in whatever view, is brought into sight, and so is what a search finds.
  const wanted = store.selected?.replace(/\/$/, '') ?? null;
  const own = entries.find(entry => entry.key === wanted || entry.views.some(view => view.id === wanted));
  const first =
    found === null ? undefined : entries.find(entry => entry.views.some(view => found.has(view.id)));
  useRevealed(viewport, own?.key, [store.asked, viewport.isReady]);
  useRevealed(viewport, first?.key, [text]);
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
          <button className="sb-Button" aria-label={trans.__('Smaller')} onClick={() => viewport.zoom(-1)}>
            −
          </button>
          <button className="sb-Button" onClick={viewport.fit}>
            {trans.__('Fit')}
          </button>
          <button className="sb-Button" aria-label={trans.__('Larger')} onClick={() => viewport.zoom(1)}>
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
        <div className="sb-Scroll" ref={scroll} onPointerDown={viewport.onPointerDown}>
          <svg
            role="group"
            aria-label={trans.__('Graph of %1', store.pipeline?.name ?? '')}
            width={(placed.width + 2 * MARGIN) * viewport.scale}
            height={(placed.height + 2 * MARGIN) * viewport.scale}
            viewBox={`${-MARGIN} ${-MARGIN} ${placed.width + 2 * MARGIN} ${placed.height + 2 * MARGIN}`}
          >
            <Lines placed={placed} selected={own?.key ?? null} />
            {entries.map(entry => (
              <GraphNode
                key={entry.key}
                context={context}
                entry={entry}
                placed={placed}
                before={before}
                isSelected={entry === own}
                dim={found !== null && !entry.views.some(view => found.has(view.id))}
                unfold={() => setOpen(new Set([...open, entry.key]))}
              />
            ))}
          </svg>
        </div>
        {store.view(wanted) === undefined && own?.folded ? (
          <GroupDetails context={context} entry={own} unfold={() => setOpen(new Set([...open, own.key]))} />
        ) : (
          <StageDetails context={context} view={store.view(wanted)} />
        )}
      </div>
    </>
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
