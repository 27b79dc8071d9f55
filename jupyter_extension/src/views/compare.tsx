/** Runs side by side. */

import * as React from 'react';

import type { Context } from './context';
import { GLYPHS } from '../model/stage-state';
import { duration, value as valueText } from '../model/format';
import { useAnswer } from './hooks';
import type { CompareRow } from '../wire';

/** The parameters, metrics and times of several runs. */
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
  const some = (rows: readonly CompareRow[]): readonly CompareRow[] =>
    wantsAll ? rows : rows.filter(row => row.differs);
  const tables: [string, readonly CompareRow[], (value: unknown) => string][] = [
    [trans.__('Parameters'), some(reply.params), valueText],
    [trans.__('Metrics'), some(reply.metrics), valueText],
    [trans.__('Time'), reply.seconds, value => (typeof value === 'number' ? duration(value) : '')]
  ];
  return (
    <>
      <div className="sb-Buttons">
        <button className="sb-Button" onClick={() => actions.openMlflow(props.runs)}>
          {trans.__('Compare in MLflow')}
        </button>
        <label className="sb-Option">
          <input type="checkbox" checked={wantsAll} onChange={event => setWantsAll(event.target.checked)} />
          <span>{trans.__('Also what is the same')}</span>
        </label>
      </div>
      {tables.map(([title, rows, text]) => (
        <table key={title} className="sb-Compare" aria-label={title}>
          <thead>
            <tr>
              <th scope="col">{title}</th>
              {reply.runs.map(run => (
                <th key={run.id} scope="col" title={run.id}>
                  <span aria-hidden="true">{GLYPHS[run.status]}</span> {run.id.slice(-9)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <tr key={row.name} data-differs={row.differs && title !== tables[2]?.[0]}>
                <th scope="row">{row.name}</th>
                {row.values.map((value, at) => (
                  <td key={at}>{value === null ? '–' : text(value)}</td>
                ))}
              </tr>
            ))}
            {rows.length === 0 && (
              <tr>
                <td colSpan={reply.runs.length + 1} className="sb-Help">
                  {trans.__('nothing differs')}
                </td>
              </tr>
            )}
          </tbody>
        </table>
      ))}
    </>
  );
}
