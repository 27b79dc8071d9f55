/** The view of the runs: a table, and below it one run, several compared, or a plot. */

import * as React from 'react';

import {
  choiceOf,
  type Column,
  columnsOf,
  EMPTY_CHOICE,
  filterRows,
  isShown,
  type Row,
  rowsOf,
  sortRows
} from '../model/run-table';
import { STATES } from '../model/stage-state';
import type { RunsReply, StageStatus } from '../wire';
import { Comparison } from './compare';
import type { Context } from './context';
import { useAnswer, useKept, useStore } from './hooks';
import { MainView } from './main-view';
import { ConnectionNote, PipelineSelect } from './parts';
import { ColumnChoice } from './run-columns';
import { RunDetails } from './run-details';
import { RunPlot } from './run-plot';
import { RunRows } from './run-rows';
import { type Split, Splitter, useSplit } from './splitter';

const HEIGHT = { least: 120, usual: 0, most: 1600, step: 24 }; // pixels, of what is below the table
const RUNS = { first: 100, more: 300 }; // in the table, without points of sweeps

/** What stands below the table. */
type Pane = 'run' | 'compare' | 'plot' | 'none';

export class RunsView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-runs', context.trans.__('Runs'));
    this.addClass('sb-RunsView');
    this.addClass('sb-TableView');
  }

  protected override render(): React.JSX.Element {
    return <Runs context={this._context} />;
  }
}

function Runs(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const name = store.pipeline?.name ?? '';
  const [limit, setLimit] = React.useState(RUNS.first);
  // The table is read again whenever a run begins or ends.
  const mark = JSON.stringify(store.snapshot.runs.map(run => [run.id, run.status]));
  const { value: reply, error } = useAnswer(
    () => store.api.runs(store.projectPath, name, limit),
    [name, mark, limit]
  );
  const [choice, choose] = useKept(context, `runs:${store.projectPath}:${name}`, EMPTY_CHOICE, choiceOf);
  const [filter, setFilter] = React.useState<Filter>({ text: '', status: '' });
  const [picked, setPicked] = React.useState<string | null>(null);
  const [chosen, setChosen] = React.useState<readonly string[]>([]);
  const [pane, setPane] = React.useState<Pane>('run');
  const split = useSplit(context, 'runs-below', HEIGHT);
  const all = React.useMemo(() => (reply === null ? [] : rowsOf(reply)), [reply]);
  const columns = React.useMemo(() => columnsOf(all), [all]);
  const shown = React.useMemo(() => columns.filter(one => isShown(one, choice)), [columns, choice]);
  const rows = React.useMemo(
    () => sortRows(filterRows(all, columns, filter.text, filter.status), columns, choice.sort),
    [all, columns, filter, choice]
  );
  const current = all.find(row => row.run.id === picked)?.run.id ?? all[0]?.run.id ?? null;
  const ticked = chosen.filter(id => all.some(row => row.run.id === id));
  const tick = (id: string): void => {
    const next = ticked.includes(id) ? ticked.filter(one => one !== id) : [...ticked, id];
    setChosen(next);
    setPane(next.length > 1 ? 'compare' : pane === 'compare' ? 'run' : pane);
  };
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Runs')}>
        <PipelineSelect context={context} />
        <FilterFields context={context} rows={all} filter={filter} change={setFilter} />
        <ColumnChoice context={context} columns={columns} choice={choice} choose={choose} />
        <PaneButtons context={context} pane={pane} ticked={ticked.length} open={setPane} />
        {ticked.length > 0 && (
          <button className="sb-Button" onClick={() => setChosen([])}>
            {trans.__('Untick all')}
          </button>
        )}
      </div>
      <ConnectionNote context={context} />
      {error && <p className="sb-FieldError">{error}</p>}
      <div className="sb-Body" data-split={pane !== 'none' && split.size > 0}>
        <div className="sb-Runs" data-whole={pane === 'none'} tabIndex={-1}>
          <RunRows
            context={context}
            label={trans.__('Runs of %1', name)}
            columns={shown}
            rows={rows}
            choice={choice}
            sortBy={sort => choose({ ...choice, sort })}
            hidden={hiddenPoints(reply)}
            current={pane === 'none' ? null : current}
            ticked={ticked}
            show={run => {
              setPicked(run);
              setPane('run');
            }}
            tick={tick}
          />
          {reply !== null && (
            <Foot context={context} reply={reply} left={rows.length} more={setLimit} limit={limit} />
          )}
        </div>
        {pane !== 'none' && (
          <Below context={context} split={split} close={() => setPane('none')}>
            <PaneBody
              context={context}
              pane={pane}
              columns={columns}
              rows={rows}
              current={current}
              ticked={ticked}
              mark={mark}
              pick={setPicked}
            />
          </Below>
        )}
      </div>
    </>
  );
}

interface Filter {
  readonly text: string;
  readonly status: StageStatus | '';
}

function FilterFields(props: {
  context: Context;
  rows: readonly Row[];
  filter: Filter;
  change: (filter: Filter) => void;
}): React.JSX.Element {
  const { rows, filter, change } = props;
  const { trans } = props.context;
  const known = new Set<string>(rows.map(row => row.run.status));
  const statuses = STATES.filter(
    (state): state is StageStatus => known.has(state) || state === filter.status
  );
  return (
    <>
      <input
        type="search"
        className="sb-Search"
        aria-label={trans.__('Filter the runs')}
        placeholder={trans.__('Filter: depth=4 ada …')}
        value={filter.text}
        onChange={event => change({ ...filter, text: event.target.value })}
      />
      <select
        className="sb-Select"
        aria-label={trans.__('Status')}
        value={filter.status}
        onChange={event => change({ ...filter, status: event.target.value as StageStatus | '' })}
      >
        <option value="">{trans.__('any status')}</option>
        {statuses.map(status => (
          <option key={status} value={status}>
            {status}
          </option>
        ))}
      </select>
    </>
  );
}

/** Which pane is below the table: pressed again, its button closes it. */
function PaneButtons(props: {
  context: Context;
  pane: Pane;
  ticked: number;
  open: (pane: Pane) => void;
}): React.JSX.Element {
  const { pane, ticked, open } = props;
  const { trans } = props.context;
  const button = (of: Pane, label: string, title: string, isDisabled = false): React.JSX.Element => (
    <button
      className="sb-Button"
      aria-pressed={pane === of}
      title={title}
      disabled={isDisabled}
      onClick={() => open(pane === of ? 'none' : of)}
    >
      {label}
    </button>
  );
  return (
    <span className="sb-Segments" role="group" aria-label={trans.__('Below the table')}>
      {button('run', trans.__('Run'), trans.__('Show the chosen run'))}
      {button(
        'compare',
        ticked < 2 ? trans.__('Compare') : trans.__('Compare %1', ticked),
        trans.__('Tick two or more runs to compare them.'),
        ticked < 2
      )}
      {button('plot', trans.__('Plot'), trans.__('Plot a metric of the runs in the table'))}
    </span>
  );
}

/** The pane below the table, which can be made higher and closed. */
function Below(props: {
  context: Context;
  split: Split;
  close: () => void;
  children: React.ReactNode;
}): React.JSX.Element {
  const { trans } = props.context;
  const { size } = props.split;
  return (
    <div className="sb-BelowTable" style={size > 0 ? { flex: 'none', height: size } : undefined}>
      <Splitter split={props.split} side="top" label={trans.__('Height of what is below the table')} />
      <div className="sb-RunPage">
        <button className="sb-Button sb-Close" title={trans.__('Close')} onClick={props.close}>
          <span aria-hidden="true">×</span>
          <span className="sb-Hidden">{trans.__('Close what is below the table')}</span>
        </button>
        {props.children}
      </div>
    </div>
  );
}

function PaneBody(props: {
  context: Context;
  pane: Pane;
  columns: readonly Column[];
  rows: readonly Row[];
  current: string | null;
  ticked: readonly string[];
  mark: string;
  pick: (run: string) => void;
}): React.JSX.Element | null {
  const { context, pane, current } = props;
  if (pane === 'plot') {
    const { columns, rows, pick } = props;
    return <RunPlot context={context} columns={columns} rows={rows} current={current} show={pick} />;
  }
  if (pane === 'compare' && props.ticked.length >= 2) {
    return <Comparison context={context} runs={props.ticked} mark={props.mark} />;
  }
  return current === null ? null : <RunDetails key={current} context={context} run={current} />;
}

/** What is not in the table, and why. */
function Foot(props: {
  context: Context;
  reply: RunsReply;
  left: number;
  limit: number;
  more: (limit: number) => void;
}): React.JSX.Element {
  const { reply, left, limit } = props;
  const { trans } = props.context;
  const filtered = reply.runs.length - left;
  return (
    <div className="sb-RunsFoot">
      {reply.runs.length === 0 && <p className="sb-None">{trans.__('Nothing was run yet.')}</p>}
      {filtered > 0 && (
        <p className="sb-None" role="status">
          {trans.__('%1 of %2 runs are filtered out.', filtered, reply.runs.length)}
        </p>
      )}
      {reply.more && (
        <p className="sb-Buttons sb-None">
          {trans.__('%1 more, which are older.', reply.older)}
          {limit < reply.most ? (
            <button className="sb-Button" onClick={() => props.more(limit + RUNS.more)}>
              {trans.__('Show older runs')}
            </button>
          ) : (
            <span>
              {trans.__('In a terminal:')} <code>stagebook runs --limit N</code>
            </span>
          )}
        </p>
      )}
    </div>
  );
}

/** How many points of each sweep are not in the table. */
function hiddenPoints(reply: RunsReply | null): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [sweep, count] of Object.entries(reply?.points ?? {})) {
    const listed = reply?.runs.filter(run => run.parent === sweep).length ?? 0;
    found.set(sweep, count - listed);
  }
  return found;
}
