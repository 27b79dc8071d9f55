/** The view of the runs of a pipeline over time: a calendar, a grid of runs and stages, and backfills. */

import * as React from 'react';

import { lackingRange } from '../model/timeline';
import { calendar, grid, type Where } from '../services/operations';
import type { CalendarPlace, Period } from '../wire';
import { BackfillForm } from './backfill-form';
import { Backfills } from './backfill-progress';
import { Calendar } from './calendar';
import type { Context } from './context';
import { Grid } from './grid';
import { useAnswer, useRound, useSlowly, useStore } from './hooks';
import { MainView } from './main-view';
import { EnvironmentSelect } from './operation-parts';
import { ConnectionNote, PipelineSelect } from './parts';
import { RunDetails } from './run-details';
import { RunOfGrid } from './run-of-grid';
import { TimesOfRun } from './times-of-run';

const COUNTS = [25, 50, 100, 200] as const; // runs in the grid
const EVERY = 1_000; // milliseconds between two looks while a run goes on

/** What was chosen in the grid: a stage of a run, or with an empty stage the run as a whole. */
export interface Chosen {
  readonly run: string;
  readonly stage: string;
}

export class TimelineView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-runs-over-time', context.trans.__('Runs over time'));
    this.addClass('sb-RunsView');
  }

  protected override render(): React.JSX.Element {
    return <Timeline context={this._context} />;
  }
}

function Timeline(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const name = store.pipeline?.name ?? '';
  const key = store.pipeline?.key ?? '';
  const [environment, choose] = React.useState('dev');
  const [limit, setLimit] = React.useState<number>(COUNTS[1]);
  const [period, setPeriod] = React.useState<Period>('day');
  const [place, setPlace] = React.useState<CalendarPlace | null>(null);
  const [chosen, setChosen] = React.useState<Chosen | null>(null);
  const project = store.projectPath;
  const where: Where = { project, pipeline: name, environment };
  const target = { project, pipeline: key, environment };
  store.backfills.open(target);
  const { seq: here, elsewhere } = store.snapshot;
  const seq = useSlowly(environment === 'dev' ? here : (elsewhere[environment] ?? ''), EVERY);
  const [round, again] = useRound(context);
  const shown = useAnswer(
    () => (name === '' ? null : grid(store.api, where, limit, place)),
    [where, limit, place?.name, period, round, seq]
  );
  const days = useAnswer(
    () => (name === '' ? null : calendar(store.api, where, period)),
    [where, period, round, seq]
  );
  React.useEffect(() => {
    setPlace(null);
    setChosen(null);
  }, [project, name, environment]);
  const range = days.value === null ? null : lackingRange(days.value);
  const reply =
    shown.value?.pipeline === name && shown.value.environment === environment ? shown.value : null;
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Runs over time')}>
        <PipelineSelect context={context} />
        <EnvironmentSelect
          context={context}
          value={environment}
          names={shown.value?.environments ?? []}
          choose={choose}
        />
        <button
          className="sb-Button"
          aria-expanded={store.backfills.isOpen}
          disabled={store.pipeline === null}
          onClick={() => store.backfills.show(!store.backfills.isOpen)}
        >
          {trans.__('Backfill …')}
        </button>
      </div>
      <ConnectionNote context={context} />
      <div className="sb-Body">
        <div className="sb-Whole">
          {store.backfills.isOpen && store.pipeline !== null && (
            <BackfillForm
              context={context}
              target={target}
              pipeline={store.pipeline}
              where={where}
              range={range}
              begun={again}
            />
          )}
          <Backfills context={context} where={where} round={`${round} ${seq ?? ''}`} again={again} />
          {shown.error && <p className="sb-FieldError">{shown.error}</p>}
          {reply !== null && (
            <Grid
              context={context}
              reply={reply}
              place={place}
              chosen={chosen}
              choose={setChosen}
              clear={() => setPlace(null)}
              counts={COUNTS}
              limit={limit}
              setLimit={setLimit}
            />
          )}
          {chosen !== null && (
            <TimesOfRun
              context={context}
              where={where}
              chosen={chosen}
              round={[seq, round]}
              choose={setChosen}
            />
          )}
          {days.error && <p className="sb-FieldError">{days.error}</p>}
          {days.value !== null && (
            <Calendar
              context={context}
              reply={days.value}
              chosen={place?.name ?? ''}
              choose={setPlace}
              choosePeriod={chosenPeriod => {
                setPeriod(chosenPeriod);
                setPlace(null);
              }}
            />
          )}
        </div>
        {chosen !== null && (
          <div className="sb-RunPage sb-Beside">
            <div className="sb-Buttons sb-Close">
              <button className="sb-Button" onClick={() => setChosen(null)}>
                {trans.__('Close')}
              </button>
            </div>
            {chosen.stage === '' && environment === 'dev' ? (
              <RunDetails key={chosen.run} context={context} run={chosen.run} withoutTimes />
            ) : (
              <RunOfGrid
                key={`${chosen.run} ${chosen.stage}`}
                context={context}
                where={where}
                chosen={chosen}
                round={seq}
                showRun={() => setChosen({ run: chosen.run, stage: '' })}
              />
            )}
          </div>
        )}
      </div>
    </>
  );
}
