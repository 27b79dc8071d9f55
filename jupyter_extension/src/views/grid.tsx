/** The grid: a column for each run, the newest at the right, and a line for each stage. */

import * as React from 'react';

import { plural } from '../model/format';
import { GLYPHS, STATES } from '../model/stage-state';
import {
  columnLabel,
  columnTitle,
  type GridRow,
  gridRows,
  moved,
  runSquare,
  type Square,
  squareOf
} from '../model/timeline';
import type { CalendarPlace, GridReply, GridRun, StageStatus } from '../wire';
import type { Context } from './context';
import type { Chosen } from './timeline';

const ALWAYS: readonly StageStatus[] = ['completed', 'reused', 'failed']; // in the legend

interface GridProps {
  readonly context: Context;
  readonly reply: GridReply;
  /** The day or month that the runs are of. */
  readonly place: CalendarPlace | null;
  readonly chosen: Chosen | null;
  readonly choose: (chosen: Chosen) => void;
  readonly clear: () => void;
  readonly counts: readonly number[];
  readonly limit: number;
  readonly setLimit: (limit: number) => void;
}

export function Grid(props: GridProps): React.JSX.Element {
  const { context, reply, place } = props;
  const { trans } = context;
  return (
    <section aria-label={trans.__('Runs and stages')}>
      <div className="sb-Buttons">
        <h2>{place === null ? trans.__('Runs') : trans.__('Runs that began in %1', place.name)}</h2>
        {place !== null && (
          <button className="sb-Button" onClick={props.clear}>
            {trans.__('Show the latest')}
          </button>
        )}
        <label className="sb-Labelled">
          {trans.__('at most')}{' '}
          <select
            className="sb-Select"
            aria-label={trans.__('How many runs')}
            value={props.limit}
            onChange={event => props.setLimit(Number(event.target.value))}
          >
            {props.counts.map(count => (
              <option key={count} value={count}>
                {count}
              </option>
            ))}
          </select>
        </label>
        <span className="sb-Help">
          {reply.older > 0 && trans.__('%1 that are older are not shown', plural(reply.older, 'run'))}
        </span>
      </div>
      {reply.runs.length === 0 ? (
        <p className="sb-None">{trans.__('No run here.')}</p>
      ) : (
        <>
          <Squares {...props} />
          <p className="sb-Help sb-Legend">
            {legendOf(reply).map(status => (
              <span key={status} className="sb-Count">
                <span className="sb-Square" data-state={status} aria-hidden="true">
                  {GLYPHS[status]}
                </span>{' '}
                {status}
              </span>
            ))}
            <span className="sb-Count">✎ {trans.__('with a note')}</span>
          </p>
        </>
      )}
    </section>
  );
}

/** The statuses that are to be seen, and those that are to be told apart in any case. */
function legendOf(reply: GridReply): StageStatus[] {
  const seen = new Set<string>(reply.runs.flatMap(run => [run.status, ...Object.values(run.stages)]));
  const others = STATES.filter(state => seen.has(state)) as StageStatus[];
  return [...new Set([...ALWAYS, ...others])];
}

/** The squares. One of them takes the tabulator key, and the arrow keys move from there. */
function Squares(props: GridProps): React.JSX.Element {
  const { reply, chosen, choose } = props;
  const { trans } = props.context;
  const [open, setOpen] = React.useState<ReadonlySet<string>>(new Set());
  const rows = gridRows(reply.stages, open);
  const [at, setAt] = React.useState<readonly [number, number]>([0, reply.runs.length - 1]);
  const table = React.useRef<HTMLTableElement>(null);
  const scroll = React.useRef<HTMLDivElement>(null);
  const newest = reply.runs[reply.runs.length - 1]?.id;
  React.useEffect(() => {
    scroll.current?.scrollTo({ left: scroll.current.scrollWidth }); // the newest run is in sight
  }, [newest]);
  React.useEffect(() => {
    // What is shown beside the grid takes room from it.
    table.current
      ?.querySelector('.sb-Square[aria-pressed="true"]')
      ?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [chosen]);
  const current: readonly [number, number] = [
    Math.min(at[0], rows.length),
    Math.min(at[1], reply.runs.length - 1)
  ];
  const move = (event: React.KeyboardEvent): void => {
    const next = moved(current, event.key, rows.length + 1, reply.runs.length);
    if (next !== null) {
      event.preventDefault();
      setAt(next);
      const [row, column] = next;
      table.current?.querySelector<HTMLElement>(`[data-at="${row} ${column}"]`)?.focus();
    }
  };
  const cell = (row: number, column: number, run: GridRun, square: Square | null): React.JSX.Element => (
    <SquareCell
      key={run.id}
      at={`${row} ${column}`}
      square={square}
      isCurrent={current[0] === row && current[1] === column}
      isChosen={chosen?.run === run.id && square !== null && chosen.stage === square.id}
      enter={() => setAt([row, column])}
      choose={() => square !== null && choose({ run: run.id, stage: square.id })}
      none={trans.__('not in this run')}
    />
  );
  return (
    <div className="sb-GridScroll" ref={scroll}>
      <table
        ref={table}
        role="grid"
        className="sb-Grid"
        aria-label={trans.__('Runs by stages: the arrow keys move')}
        onKeyDown={move}
      >
        <thead>
          <tr>
            <td />
            {reply.runs.map(run => (
              <th key={run.id} scope="col" title={columnTitle(run, reply.zone)}>
                <span className="sb-Column">{columnLabel(run, reply.zone)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row" className="sb-Help">
              {trans.__('run')}
            </th>
            {reply.runs.map((run, column) => cell(0, column, run, runSquare(run, reply.zone)))}
          </tr>
          {rows.map((row, line) => (
            <tr key={`${row.level} ${row.key}`} data-level={row.level}>
              <RowHead
                context={props.context}
                row={row}
                toggle={() => {
                  const next = new Set(open);
                  if (!next.delete(row.key)) {
                    next.add(row.key);
                  }
                  setOpen(next);
                }}
              />
              {reply.runs.map((run, column) => cell(line + 1, column, run, squareOf(row, run, reply.zone)))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RowHead(props: { context: Context; row: GridRow; toggle: () => void }): React.JSX.Element {
  const { row } = props;
  const { trans } = props.context;
  return (
    <th scope="row" title={row.ids.length === 1 ? row.ids[0] : undefined}>
      {row.ids.length > 1 ? (
        <button
          className="sb-Link"
          aria-expanded={row.open}
          title={row.open ? trans.__('Fold the instances') : trans.__('Show the instances')}
          onClick={props.toggle}
        >
          <span aria-hidden="true">{row.open ? '▾' : '▸'}</span> {row.label}{' '}
          <span className="sb-Help">{row.ids.length}</span>
        </button>
      ) : (
        row.label
      )}
    </th>
  );
}

function SquareCell(props: {
  at: string;
  square: Square | null;
  isCurrent: boolean;
  isChosen: boolean;
  enter: () => void;
  choose: () => void;
  none: string;
}): React.JSX.Element {
  const { square } = props;
  const tabIndex = props.isCurrent ? 0 : -1;
  if (square === null) {
    return (
      <td data-at={props.at} tabIndex={tabIndex} onFocus={props.enter}>
        <span className="sb-Hidden">{props.none}</span>
      </td>
    );
  }
  return (
    <td>
      <button
        className="sb-Square"
        data-at={props.at}
        data-state={square.status}
        aria-label={square.label}
        aria-pressed={props.isChosen}
        title={square.label}
        tabIndex={tabIndex}
        onFocus={props.enter}
        onClick={props.choose}
      >
        {GLYPHS[square.status]}
        {square.noted && <span className="sb-Noted">✎</span>}
      </button>
    </td>
  );
}
