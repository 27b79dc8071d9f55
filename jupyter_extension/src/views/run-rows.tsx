/** The table of runs and points of sweeps. */

import * as React from 'react';

import { duration, figure, plural } from '../model/format';
import { shortId } from '../model/run-name';
import {
  bestOf,
  type Column,
  directionOf,
  isNumeric,
  isReused,
  nextSort,
  reuseOf,
  type Row,
  type Sort,
  type TableChoice,
  valueOf
} from '../model/run-table';
import type { Context } from './context';
import { Elapsed, Glyph } from './parts';
import { RunName } from './run-name';

export interface RunRowsProps {
  readonly context: Context;
  readonly label: string;
  /** The columns that are shown. */
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly choice: TableChoice;
  readonly sortBy: (sort: Sort) => void;
  /** How many points of each sweep are not in the list. */
  readonly hidden: ReadonlyMap<string, number>;
  readonly current: string | null;
  readonly ticked: readonly string[];
  readonly show: (run: string) => void;
  readonly tick: (run: string) => void;
}

export function RunRows(props: RunRowsProps): React.JSX.Element {
  const { context, columns, rows, choice, current, ticked } = props;
  const best = React.useMemo(
    () => new Map(columns.map(one => [one.id, bestOf(rows, one, directionOf(one, choice))])),
    [columns, rows, choice]
  );
  const numeric = React.useMemo(
    () => new Set(columns.filter(one => isNumeric(rows, one)).map(one => one.id)),
    [columns, rows]
  );
  return (
    <table className="sb-RunTable" aria-label={props.label}>
      <Head {...props} numeric={numeric} />
      <tbody>
        {rows.map(row => (
          <RunRow
            key={row.run.id}
            context={context}
            columns={columns}
            row={row}
            best={best}
            numeric={numeric}
            hidden={props.hidden.get(row.run.id) ?? 0}
            isCurrent={row.run.id === current}
            isTicked={ticked.includes(row.run.id)}
            show={props.show}
            tick={props.tick}
          />
        ))}
      </tbody>
    </table>
  );
}

function Head(props: RunRowsProps & { numeric: ReadonlySet<string> }): React.JSX.Element {
  const { columns, rows, choice, sortBy } = props;
  const { trans } = props.context;
  const words = { lower: trans.__('lower is better'), higher: trans.__('higher is better'), none: '' };
  return (
    <thead>
      <tr>
        <th>
          <span className="sb-Hidden">{trans.__('Compare')}</span>
        </th>
        {columns.map(column => {
          const isSorted = choice.sort.column === column.id;
          const { isDescending } = choice.sort;
          const direction = words[directionOf(column, choice)];
          return (
            <th
              key={column.id}
              scope="col"
              data-kind={column.kind}
              data-number={props.numeric.has(column.id) && column.kind !== 'run'}
              {...(isSorted && {
                'aria-sort': isDescending ? ('descending' as const) : ('ascending' as const)
              })}
            >
              <button
                className="sb-SortHead"
                title={[titleOf(props.context, column), direction].filter(Boolean).join(', ')}
                onClick={() => sortBy(nextSort(choice.sort, column, rows))}
              >
                {column.label}
                <span aria-hidden="true">{isSorted ? (isDescending ? ' ↓' : ' ↑') : ''}</span>
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function titleOf({ trans }: Context, column: Column): string {
  switch (column.kind) {
    case 'param':
      return trans.__('parameter %1', column.name);
    case 'metric':
      return trans.__('metric %1', column.name);
    default:
      return '';
  }
}

interface RowProps {
  readonly context: Context;
  readonly columns: readonly Column[];
  readonly row: Row;
  readonly best: ReadonlyMap<string, ReadonlySet<string>>;
  readonly numeric: ReadonlySet<string>;
  readonly hidden: number;
  readonly isCurrent: boolean;
  readonly isTicked: boolean;
  readonly show: (run: string) => void;
  readonly tick: (run: string) => void;
}

function RunRow(props: RowProps): React.JSX.Element {
  const { row, columns } = props;
  const { run } = row;
  const { trans } = props.context;
  return (
    <tr data-current={props.isCurrent} data-level={row.level} onClick={() => props.show(run.id)}>
      <td onClick={event => event.stopPropagation()}>
        <input
          type="checkbox"
          aria-label={trans.__('Compare %1', run.id)}
          checked={props.isTicked}
          onChange={() => props.tick(run.id)}
        />
      </td>
      {columns.map(column => (
        <Cell key={column.id} {...props} column={column} />
      ))}
    </tr>
  );
}

function Cell(props: RowProps & { column: Column }): React.JSX.Element {
  const { context, row, column } = props;
  const { run } = row;
  switch (column.kind) {
    case 'run':
      return <NameCell {...props} />;
    case 'status':
      return <StatusCell context={context} row={row} />;
    case 'took':
      return (
        <td data-number="true">
          {run.ended === null ? (
            <Elapsed started={run.started} expected={null} />
          ) : (
            duration(run.ended - run.started)
          )}
        </td>
      );
    case 'by':
      return (
        <td className="sb-Clip" title={`${run.command}\n${run.user}@${run.host}`}>
          {run.user || run.command}
        </td>
      );
    default:
      return <ValueCell {...props} />;
  }
}

function NameCell(props: RowProps): React.JSX.Element {
  const { row, hidden, isCurrent } = props;
  const { run, parent } = row;
  const { trans } = props.context;
  const notes = [
    run.kind === 'run' ? '' : run.kind,
    hidden > 0 ? plural(hidden, 'earlier point') : '',
    row.level === 0 && parent !== null ? trans.__('point of %1', shortId(parent.id)) : ''
  ];
  return (
    <td className="sb-RunName">
      {row.level === 1 && <span className="sb-Hidden">{trans.__('point of the sweep above: ')}</span>}
      <button
        className="sb-Link"
        aria-current={isCurrent}
        onClick={event => {
          event.stopPropagation();
          props.show(run.id);
        }}
      >
        <RunName run={run} />
      </button>{' '}
      <span className="sb-Help">{notes.filter(Boolean).join(' · ')}</span>
    </td>
  );
}

/** The status; what a run took from earlier ones is told apart. */
function StatusCell(props: { context: Context; row: Row }): React.JSX.Element {
  const { row } = props;
  const { trans } = props.context;
  const reuse = reuseOf(row);
  const isWhole = reuse !== null && reuse.reused === reuse.all;
  return (
    <td title={row.run.reason}>
      <Glyph state={row.run.status} /> {row.run.status}
      {reuse !== null && (
        <span
          className="sb-Help"
          title={trans.__('taken from earlier runs: %1', row.result.reused.join(', '))}
        >
          {' '}
          <span aria-hidden="true">↺</span>{' '}
          {isWhole
            ? trans.__('all %1 reused', reuse.all)
            : trans.__('%1 of %2 reused', reuse.reused, reuse.all)}
        </span>
      )}
    </td>
  );
}

/** A parameter or a metric. ★ marks the best value, ↺ one that was taken from an earlier run. */
function ValueCell(props: RowProps & { column: Column }): React.JSX.Element {
  const { row, column, best, numeric } = props;
  const { trans } = props.context;
  const value = valueOf(row, column);
  if (value === null) {
    return <td />;
  }
  const isBest = best.get(column.id)?.has(row.run.id) ?? false;
  const reused = isReused(row, column);
  const text = column.kind === 'param' && typeof value === 'number' ? String(value) : figure(value);
  return (
    <td className="sb-Clip" data-number={numeric.has(column.id)} data-best={isBest} title={text}>
      {isBest && (
        <span
          className="sb-Best"
          role="img"
          aria-label={trans.__('best:')}
          title={trans.__('the best value')}
        >
          ★
        </span>
      )}
      {reused && (
        <span
          className="sb-Help"
          role="img"
          aria-label={trans.__('reused:')}
          title={trans.__('taken from an earlier run')}
        >
          ↺
        </span>
      )}{' '}
      {text}
    </td>
  );
}
