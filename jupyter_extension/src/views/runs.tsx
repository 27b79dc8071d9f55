/** The view of the runs: a list, and beside it one run or several compared. */

import * as React from 'react';

import { Comparison } from './compare';
import type { Context } from './context';
import { ago, duration, plural, value as valueText } from '../model/format';
import { useAnswer, useNow, useStore } from './hooks';
import { MainView } from './main-view';
import { ConnectionNote, Glyph, PipelineSelect } from './parts';
import { RunDetails } from './run-details';
import type { RunInfo, RunsReply } from '../wire';

const RUNS = { first: 100, more: 300 }; // in the list, without points of sweeps

export class RunsView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-runs', context.trans.__('Runs'));
    this.addClass('sb-RunsView');
  }

  protected override render(): React.JSX.Element {
    return <Runs context={this._context} />;
  }
}

function Runs(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const [current, setCurrent] = React.useState<string | null>(null);
  const [chosen, setChosen] = React.useState<readonly string[]>([]);
  const [limit, setLimit] = React.useState(RUNS.first);
  const name = store.pipeline?.name ?? '';
  // The list is read again whenever a run begins or ends.
  const mark = JSON.stringify(store.snapshot.runs.map(run => [run.id, run.status]));
  const runs = useAnswer(() => store.api.runs(store.projectPath, name, limit), [name, mark, limit]);
  const list = nested(runs.value?.runs ?? []);
  const hidden = hiddenPoints(runs.value);
  const shown = list.find(one => one.run.id === current)?.run.id ?? list[0]?.run.id ?? null;
  const compared = chosen.filter(id => list.some(one => one.run.id === id));
  const toggle = (id: string): void =>
    setChosen(compared.includes(id) ? compared.filter(one => one !== id) : [...compared, id]);
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Runs')}>
        <PipelineSelect context={context} />
        <span className="sb-Help">
          {compared.length < 2
            ? trans.__('Tick two or more runs to compare them.')
            : trans.__('%1 runs side by side', compared.length)}
        </span>
        {compared.length > 0 && (
          <button className="sb-Button" onClick={() => setChosen([])}>
            {trans.__('Untick all')}
          </button>
        )}
      </div>
      <ConnectionNote context={context} />
      {runs.error && <p className="sb-FieldError">{runs.error}</p>}
      <div className="sb-Body">
        <div className="sb-Runs">
          <table aria-label={trans.__('Runs of %1', name)}>
            <thead>
              <tr>
                <th>
                  <span className="sb-Hidden">{trans.__('Compare')}</span>
                </th>
                <th>{trans.__('Run')}</th>
                <th>{trans.__('Status')}</th>
                <th>{trans.__('Took')}</th>
                <th>{trans.__('Parameters')}</th>
                <th>{trans.__('Started by')}</th>
              </tr>
            </thead>
            <tbody>
              {list.map(({ run, level }) => (
                <RunRow
                  key={run.id}
                  context={context}
                  run={run}
                  level={level}
                  hidden={hidden.get(run.id) ?? 0}
                  isCurrent={run.id === shown}
                  isChosen={compared.includes(run.id)}
                  show={() => setCurrent(run.id)}
                  toggle={() => toggle(run.id)}
                />
              ))}
            </tbody>
          </table>
          {list.length === 0 && runs.value !== null && (
            <p className="sb-None">{trans.__('Nothing was run yet.')}</p>
          )}
          {runs.value?.more && (
            <p className="sb-Buttons sb-None">
              {trans.__('%1 more, which are older.', runs.value.older)}
              {limit < runs.value.most ? (
                <button className="sb-Button" onClick={() => setLimit(limit + RUNS.more)}>
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
        <div className="sb-RunPage">
          {compared.length >= 2 ? (
            <Comparison context={context} runs={compared} mark={mark} />
          ) : (
            shown !== null && <RunDetails key={shown} context={context} run={shown} />
          )}
        </div>
      </div>
    </>
  );
}

/** The points of a sweep follow it. */
function nested(runs: readonly RunInfo[]): { run: RunInfo; level: number }[] {
  const sweeps = new Set(runs.filter(run => run.kind === 'sweep').map(run => run.id));
  return runs.flatMap(run => {
    if (sweeps.has(run.parent)) {
      return [];
    }
    const points = runs.filter(point => point.parent === run.id).reverse();
    return [{ run, level: 0 }, ...points.map(point => ({ run: point, level: 1 }))];
  });
}

/** How many points of each sweep are not in a list. */
function hiddenPoints(reply: RunsReply | null): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [sweep, count] of Object.entries(reply?.points ?? {})) {
    const listed = reply?.runs.filter(run => run.parent === sweep).length ?? 0;
    found.set(sweep, count - listed);
  }
  return found;
}

function RunRow(props: {
  context: Context;
  run: RunInfo;
  level: number;
  /** How many points of a sweep are not in the list. */
  hidden: number;
  isCurrent: boolean;
  isChosen: boolean;
  show: () => void;
  toggle: () => void;
}): React.JSX.Element {
  const { run } = props;
  const { trans } = props.context;
  const now = useNow(run.ended === null ? 1 : 30);
  const params = Object.entries(run.params)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(', ');
  const kind = run.kind === 'run' ? '' : `${run.kind} · `;
  return (
    <tr data-current={props.isCurrent} data-level={props.level}>
      <td>
        <input
          type="checkbox"
          aria-label={trans.__('Compare %1', run.id)}
          checked={props.isChosen}
          onChange={props.toggle}
        />
      </td>
      <td className="sb-RunName">
        <button className="sb-Link" aria-current={props.isCurrent} onClick={props.show} title={run.id}>
          {ago(run.started, now)}
        </button>
      </td>
      <td>
        <Glyph state={run.status} /> {run.status}
      </td>
      <td>{duration((run.ended ?? now) - run.started)}</td>
      <td className="sb-Clip" title={params}>
        {params}
      </td>
      <td className="sb-Clip" title={`${run.command}\n${run.user}@${run.host}`}>
        {kind}
        {props.hidden > 0 && `${plural(props.hidden, 'earlier point')} · `}
        {run.user || run.command}
      </td>
    </tr>
  );
}
