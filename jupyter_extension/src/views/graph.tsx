/** The view in the main area: the graph of a pipeline or the table of its stages, and the stage that is chosen. */

import * as React from 'react';

import type { Context } from './context';
import { DetailsPane } from './details-pane';
import { GraphCanvas, type Zooming } from './graph-canvas';
import { useKept, useStore } from './hooks';
import { MainView } from './main-view';
import { edges, type Entry, foldable, nodes, search } from '../model/grouping';
import { layout } from '../model/graph-layout';
import { lineage, type Way } from '../model/lineage';
import { ConnectionNote, Counts, GivenParams, PipelineSelect, Problems, RunLine, StageSearch } from './parts';
import { RunButtons } from './run-button';
import { GroupDetails, StageDetails } from './stage-details';
import { StageTable } from './stage-table';

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

/** A stage with all that comes before it, or after it. */
interface Trace {
  readonly key: string;
  readonly way: Way;
}

function Graph(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store } = context;
  useStore(context);
  const [text, setText] = React.useState('');
  const [open, setOpen] = React.useState<ReadonlySet<string>>(new Set());
  const [trace, setTrace] = React.useState<Trace | null>(null);
  const [closed, setClosed] = React.useState<string | null>(null); // what has its details closed
  const [mode, setMode] = useKept<string>(context, 'graph-mode', 'graph');
  const body = React.useRef<HTMLDivElement>(null);
  const zoom = React.useRef<Zooming | null>(null);
  const subject = `${store.projectPath}/${store.pipeline?.key ?? ''}`;
  React.useEffect(() => {
    setOpen(new Set());
    setTrace(null);
  }, [subject]);

  const { views } = store;
  const entries = React.useMemo(() => nodes(views, open), [views, open]);
  const before = React.useMemo(() => edges(entries), [entries]);
  // The layout depends on the shape alone; states change far more often.
  const shape = JSON.stringify([...before]);
  const placed = React.useMemo(() => layout(new Map(JSON.parse(shape) as [string, string[]][])), [shape]);
  const wanted = store.selected?.replace(/\/$/, '') ?? null;
  const own = entries.find(entry => entry.key === wanted || entry.views.some(view => view.id === wanted));
  const found = text === '' ? null : new Set(search(views, text).map(view => view.id));
  const hits = found === null ? null : entries.filter(entry => entry.views.some(view => found.has(view.id)));
  const traced = trace === null || !before.has(trace.key) ? null : lineage(before, trace.key, trace.way);
  React.useEffect(() => setClosed(null), [wanted, store.asked]);

  const follow = (key: string, way: Way): void =>
    setTrace(trace?.key === key && trace.way === way ? null : { key, way });
  const close = (): void => {
    setClosed(wanted);
    focusNode(body.current, own?.key);
  };
  const leave = (): void => (traced === null ? close() : setTrace(null));
  return (
    <>
      <Bar
        context={context}
        text={text}
        setText={setText}
        open={open}
        setOpen={setOpen}
        mode={mode}
        setMode={setMode}
        zoom={zoom}
      />
      <ConnectionNote context={context} />
      <Problems context={context} />
      <div className="sb-Body" ref={body}>
        {mode === 'list' ? (
          <StageTable context={context} found={found} selected={wanted} open={() => setClosed(null)} />
        ) : (
          <GraphCanvas
            context={context}
            entries={entries}
            placed={placed}
            edges={before}
            room={body}
            subject={subject}
            searched={text}
            found={hits?.[0]?.key}
            selected={own?.key ?? null}
            shown={shownOf(hits, traced)}
            traced={traced}
            unfold={key => setOpen(new Set([...open, key]))}
            open={() => setClosed(null)}
            zoom={zoom}
            trace={follow}
            leave={leave}
          />
        )}
        {wanted !== null && closed !== wanted && (
          <Details
            context={context}
            wanted={wanted}
            own={own}
            trace={trace}
            follow={mode === 'list' ? null : follow}
            unfold={key => setOpen(new Set([...open, key]))}
            close={close}
          />
        )}
      </div>
    </>
  );
}

/** The nodes that are both found and traced; null where all are. */
function shownOf(
  hits: readonly Entry[] | null,
  traced: ReadonlySet<string> | null
): ReadonlySet<string> | null {
  const keys = hits?.map(entry => entry.key);
  return keys === undefined ? traced : new Set(keys.filter(key => traced?.has(key) ?? true));
}

/** Give the focus back to a node whose details were closed. */
function focusNode(body: HTMLElement | null, key: string | undefined): void {
  const nodes = [...(body?.querySelectorAll<SVGGElement>('.sb-Node') ?? [])];
  nodes.find(node => node.dataset.key === key)?.focus({ preventScroll: true });
}

function Bar(props: {
  context: Context;
  text: string;
  setText: (text: string) => void;
  open: ReadonlySet<string>;
  setOpen: (open: ReadonlySet<string>) => void;
  mode: string;
  setMode: (mode: string) => void;
  zoom: React.RefObject<Zooming>;
}): React.JSX.Element {
  const { context, open, mode } = props;
  const { store, trans } = context;
  const groups = foldable(store.views);
  return (
    <div className="sb-Bar" role="toolbar" aria-label={trans.__('Pipeline')}>
      <PipelineSelect context={context} />
      <RunButtons context={context} />
      <StageSearch context={context} text={props.text} search={props.setText} />
      <span className="sb-Modes" role="group" aria-label={trans.__('Show as')}>
        {(['graph', 'list'] as const).map(one => (
          <button
            key={one}
            className="sb-Button"
            aria-pressed={mode === one}
            onClick={() => props.setMode(one)}
          >
            {one === 'graph' ? trans.__('Graph') : trans.__('List')}
          </button>
        ))}
      </span>
      {mode !== 'list' && <Zoom context={context} zoom={props.zoom} />}
      {groups.length > 0 && mode !== 'list' && (
        <button
          className="sb-Button"
          onClick={() => props.setOpen(open.size > 0 ? new Set() : new Set(groups))}
        >
          {open.size > 0 ? trans.__('Fold all') : trans.__('Unfold all')}
        </button>
      )}
      <button className="sb-Button" onClick={() => context.actions.openRuns()}>
        {trans.__('Runs')}
      </button>
      <GivenParams context={context} />
      <div className="sb-BarStatus">
        <RunLine context={context} />
        <Counts views={store.views} words />
      </div>
    </div>
  );
}

function Zoom({ context, zoom }: { context: Context; zoom: React.RefObject<Zooming> }): React.JSX.Element {
  const { trans } = context;
  return (
    <span className="sb-Zoom" role="group" aria-label={trans.__('Zoom')}>
      <button className="sb-Button" aria-label={trans.__('Smaller')} onClick={() => zoom.current?.zoom(-1)}>
        −
      </button>
      <button className="sb-Button" onClick={() => zoom.current?.fit()}>
        {trans.__('Fit')}
      </button>
      <button className="sb-Button" aria-label={trans.__('Larger')} onClick={() => zoom.current?.zoom(1)}>
        +
      </button>
    </span>
  );
}

/** What is known of the selected stage, or of several that are one node. */
function Details(props: {
  context: Context;
  wanted: string;
  own: Entry | undefined;
  trace: Trace | null;
  follow: ((key: string, way: Way) => void) | null;
  unfold: (key: string) => void;
  close: () => void;
}): React.JSX.Element | null {
  const { context, own, follow } = props;
  const view = context.store.view(props.wanted);
  const ways =
    own === undefined || follow === null
      ? null
      : {
          traced: props.trace?.key === own.key ? props.trace.way : null,
          follow: (way: Way) => follow(own.key, way)
        };
  if (view === undefined && !own?.folded) {
    return null;
  }
  return (
    <DetailsPane context={context} close={props.close}>
      {view === undefined && own !== undefined ? (
        <GroupDetails context={context} entry={own} ways={ways} unfold={() => props.unfold(own.key)} />
      ) : (
        view !== undefined && <StageDetails context={context} view={view} ways={ways} />
      )}
    </DetailsPane>
  );
}
