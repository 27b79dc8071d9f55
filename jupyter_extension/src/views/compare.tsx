/** Runs side by side. */

import * as React from 'react';

import { delta } from '../model/comparison';
import { duration, figure, value as valueText } from '../model/format';
import type { CompareReply, CompareRow, StageStatus } from '../wire';
import type { Context } from './context';
import { useAnswer } from './hooks';
import { Glyph } from './parts';
import { RunName } from './run-name';

/** A part of the table. */
interface Part {
  readonly title: string;
  readonly rows: readonly CompareRow[];
  /** Whether it is there even if nothing in it differs. */
  readonly isNamed: boolean;
  readonly isNumeric: boolean;
  readonly show: (value: unknown) => React.ReactNode;
  /** What the difference from the first run is. */
  readonly differs: (value: unknown, first: unknown) => string;
}

/** The parameters, metrics, states and times of several runs, in one table with a column for each run. */
export function Comparison(props: {
  context: Context;
  runs: readonly string[];
  mark: string;
}): React.JSX.Element {
  const { store, actions, trans } = props.context;
  const [wantsAll, setWantsAll] = React.useState(false);
  const answer = useAnswer(
    () => store.api.compare(store.projectPath, props.runs),
    [props.runs.join(' '), props.mark]
  );
  const reply = answer.value;
  if (reply === null) {
    return <p className="sb-None">{answer.error || '…'}</p>;
  }
  return (
    <>
      <div className="sb-Buttons">
        <h1>{trans.__('%1 runs side by side', reply.runs.length)}</h1>
        <label className="sb-Option">
          <input type="checkbox" checked={wantsAll} onChange={event => setWantsAll(event.target.checked)} />
          <span>{trans.__('Also what is the same')}</span>
        </label>
        <button className="sb-Button" onClick={() => actions.openMlflow(props.runs)}>
          {trans.__('Compare in MLflow')}
        </button>
      </div>
      <table className="sb-Compare" aria-label={trans.__('Comparison')}>
        <thead>
          <tr>
            <th scope="col">
              <span aria-hidden="true">≠</span> {trans.__('differs')}
            </th>
            {reply.runs.map(run => (
              <th key={run.id} scope="col">
                <RunName run={run} />
              </th>
            ))}
          </tr>
        </thead>
        {partsOf(props.context, reply).map(part => (
          <PartRows key={part.title} {...props} part={part} count={reply.runs.length} wantsAll={wantsAll} />
        ))}
      </table>
    </>
  );
}

function partsOf({ trans }: Context, reply: CompareReply): Part[] {
  const { runs } = reply;
  const took = runs.map(run => (run.ended === null ? null : run.ended - run.started));
  const row = (name: string, values: readonly unknown[]): CompareRow => ({
    name,
    values,
    differs: new Set(values).size > 1
  });
  const none = (): string => '';
  const plain = { isNamed: false, isNumeric: false, differs: none };
  return [
    {
      title: trans.__('Run'),
      rows: [
        row(
          trans.__('status'),
          runs.map(run => run.status)
        ),
        row(
          trans.__('started by'),
          runs.map(run => run.user || run.command)
        ),
        row(
          trans.__('commit'),
          runs.map(run => run.commit.slice(0, 12))
        )
      ],
      show: value => String(value),
      ...plain
    },
    { title: trans.__('Parameters'), rows: reply.params, show: valueText, ...plain, isNamed: true },
    {
      title: trans.__('Metrics'),
      rows: reply.metrics,
      isNamed: true,
      isNumeric: true,
      show: figure,
      differs: delta
    },
    { title: trans.__('Stages'), rows: reply.states, show: stateOf, ...plain },
    {
      title: trans.__('Time'),
      rows: [{ ...row(trans.__('the whole run'), took) }, ...reply.seconds],
      isNamed: true,
      isNumeric: true,
      show: value => duration(Number(value)),
      differs: (value, first) => delta(value, first, duration)
    }
  ];
}

function stateOf(value: unknown): React.ReactNode {
  const status = value as StageStatus;
  return (
    <>
      <Glyph state={status} /> {status}
    </>
  );
}

function PartRows(props: {
  context: Context;
  part: Part;
  count: number;
  wantsAll: boolean;
}): React.JSX.Element | null {
  const { part, count, wantsAll } = props;
  const { trans } = props.context;
  const rows = wantsAll ? part.rows : part.rows.filter(row => row.differs);
  if (rows.length === 0 && !part.isNamed) {
    return null;
  }
  return (
    <tbody role="rowgroup" aria-label={part.title}>
      <tr>
        <th scope="rowgroup" colSpan={count + 1}>
          {part.title}
        </th>
      </tr>
      {rows.map(row => (
        <tr key={row.name} data-differs={row.differs}>
          <th scope="row">
            <span
              className="sb-Differs"
              {...(row.differs
                ? { role: 'img', 'aria-label': trans.__('differs:') }
                : { 'aria-hidden': true })}
            >
              {row.differs ? '≠' : ''}
            </span>{' '}
            {row.name}
          </th>
          {row.values.map((value, at) => (
            <CompareCell key={at} part={part} value={value} first={row.values[0]} />
          ))}
        </tr>
      ))}
      {rows.length === 0 && (
        <tr>
          <td colSpan={count + 1} className="sb-Help">
            {part.rows.length === 0 ? trans.__('there are none') : trans.__('nothing differs')}
          </td>
        </tr>
      )}
    </tbody>
  );
}

function CompareCell(props: { part: Part; value: unknown; first: unknown }): React.JSX.Element {
  const { part, value, first } = props;
  const difference = value === null ? '' : part.differs(value, first);
  return (
    <td data-number={part.isNumeric}>
      {difference && <span className="sb-Help">{difference} </span>}
      {value === null ? '–' : part.show(value)}
    </td>
  );
}
