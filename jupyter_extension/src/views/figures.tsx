/** The view of the figures of a pipeline: how much work, how often it breaks, how fast change reaches production. */

import * as React from 'react';

import { DAYS } from '../model/figures';
import { plural } from '../model/format';
import { moment } from '../model/moments';
import { figures } from '../services/operations';
import type { FiguresReply } from '../wire';
import type { Context } from './context';
import { DatasetTable, FigureTable } from './figure-tables';
import { useAnswer, useStore } from './hooks';
import { MainView } from './main-view';
import { EnvironmentSelect } from './operation-parts';
import { ConnectionNote, PipelineSelect } from './parts';

export class FiguresView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-figures', context.trans.__('Figures'));
    this.addClass('sb-RunsView');
  }

  protected override render(): React.JSX.Element {
    return <Figures context={this._context} />;
  }
}

/** What was answered to what was asked, in which round. */
interface Told {
  readonly asked: string;
  readonly round: number;
  readonly reply: FiguresReply | null;
  readonly error: string;
}

function Figures(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const project = store.projectPath;
  const pipeline = store.pipeline?.name ?? '';
  const [environment, choose] = React.useState(''); // empty: the one that the server proposes
  const [days, setDays] = React.useState<number>(DAYS[1]);
  const [round, again] = React.useReducer((count: number) => count + 1, 0);
  const asked = JSON.stringify([project, pipeline, environment, days]);
  const ask = async (): Promise<Told> => {
    try {
      const reply = await figures(store.api, { project, pipeline, environment }, days);
      return { asked, round, reply, error: '' };
    } catch (error) {
      return { asked, round, reply: null, error: error instanceof Error ? error.message : String(error) };
    }
  };
  // They take the server seconds: they are computed when somebody asks, and not with every run.
  const { value: told } = useAnswer(() => (pipeline === '' ? null : ask()), [asked, round]);
  React.useEffect(() => choose(''), [project]);
  const environments = React.useRef<readonly string[]>(['dev']);
  if (told?.reply) {
    environments.current = told.reply.environments;
  }
  const current = told?.asked === asked ? told : null;
  const isComputing = pipeline !== '' && current?.round !== round;
  const reply = current?.reply ?? null;
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Figures')}>
        <PipelineSelect context={context} />
        <EnvironmentSelect
          context={context}
          value={environment || (told?.reply?.environment ?? '')}
          names={environments.current}
          choose={choose}
        />
        <label className="sb-Labelled">
          {trans.__('over the last')}{' '}
          <select
            className="sb-Select sb-Narrow"
            aria-label={trans.__('Days')}
            value={days}
            onChange={event => setDays(Number(event.target.value))}
          >
            {DAYS.map(one => (
              <option key={one} value={one}>
                {plural(one, 'day')}
              </option>
            ))}
          </select>
        </label>
        <button className="sb-Button" disabled={isComputing || pipeline === ''} onClick={again}>
          {trans.__('Compute again')}
        </button>
        <span className="sb-Help" role="status">
          {isComputing ? trans.__('Computing …') : ''}
        </span>
      </div>
      <ConnectionNote context={context} />
      <div className="sb-Page sb-Whole" aria-busy={isComputing}>
        {current?.error && (
          <p className="sb-FieldError" role="alert">
            {current.error}
          </p>
        )}
        {reply !== null && <Shown context={context} reply={reply} />}
      </div>
    </>
  );
}

function Shown(props: { context: Context; reply: FiguresReply }): React.JSX.Element {
  const { context, reply } = props;
  const { trans } = context;
  const where = reply.environment === 'dev' ? trans.__('the working tree') : reply.environment;
  return (
    <>
      <h1>{trans.__('%1 in %2, %3', reply.pipeline, where, plural(reply.days, 'day'))}</h1>
      <p className="sb-Help">
        {trans.__('From %1 to %2.', moment(reply.start), moment(reply.end))}{' '}
        {trans.__('Figures are no goals, and say nothing about other pipelines, or about people.')}
      </p>
      {reply.nothing ? (
        <p className="sb-None">{trans.__('There are no figures: %1.', reply.nothing)}</p>
      ) : (
        <>
          <FigureTable context={context} groups={reply.groups} days={reply.days} />
          {reply.datasets.length > 0 && <DatasetTable context={context} datasets={reply.datasets} />}
        </>
      )}
    </>
  );
}
