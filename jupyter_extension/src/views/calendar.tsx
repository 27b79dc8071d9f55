/** The calendar: how the runs of each day or month ended, and which intervals lack a run. */

import * as React from 'react';

import { calendarTable, outcomesOf, placeLabel, placeName } from '../model/timeline';
import type { CalendarPlace, CalendarReply, IntervalState, Period } from '../wire';
import type { Context } from './context';
import { Glyph } from './parts';

/** A sign for each state of an interval, other ones than those of runs. */
const INTERVALS: readonly { readonly state: IntervalState; readonly sign: string }[] = [
  { state: 'missing', sign: '○' },
  { state: 'failed', sign: '⊗' },
  { state: 'running', sign: '◐' },
  { state: 'done', sign: '●' }
];

export function Calendar(props: {
  context: Context;
  reply: CalendarReply;
  /** The name of the day or month that was chosen. */
  chosen: string;
  choose: (place: CalendarPlace | null) => void;
  choosePeriod: (period: Period) => void;
}): React.JSX.Element {
  const { reply, chosen, choose } = props;
  const { trans } = props.context;
  const table = calendarTable(reply);
  return (
    <section aria-label={trans.__('Calendar')}>
      <div className="sb-Buttons">
        <h2>{trans.__('Calendar')}</h2>
        <select
          className="sb-Select sb-Narrow"
          aria-label={trans.__('By days or months')}
          value={reply.period}
          onChange={event => props.choosePeriod(event.target.value as Period)}
        >
          <option value="day">{trans.__('by days')}</option>
          <option value="month">{trans.__('by months')}</option>
        </select>
        <span className="sb-Help">
          {trans.__('Time zone: %1.', reply.zone)}{' '}
          {reply.too_many
            ? trans.__('The schedule %1 has too many intervals to be shown here.', reply.schedule)
            : reply.schedule !== '' && trans.__('Intervals of the schedule %1:', reply.schedule)}
        </span>
        {reply.schedule !== '' &&
          !reply.too_many &&
          INTERVALS.map(({ state, sign }) => (
            <span key={state} className="sb-Help sb-Count" data-interval={state}>
              {sign} {state}
            </span>
          ))}
      </div>
      <div className="sb-GridScroll">
        <table className="sb-Calendar" aria-label={trans.__('Calendar')}>
          {table.columns.length > 0 && (
            <thead>
              <tr>
                <th>
                  <span className="sb-Hidden">{trans.__('Week')}</span>
                </th>
                {table.columns.map(name => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
          )}
          <tbody>
            {table.rows.map(row => (
              <tr key={row.label}>
                <th scope="row">{row.label}</th>
                {row.places.map((place, at) => (
                  <td key={place?.name ?? at}>
                    {place !== null && (
                      <Place
                        place={place}
                        period={reply.period}
                        isChosen={place.name === chosen}
                        choose={() => choose(place.name === chosen ? null : place)}
                      />
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Place(props: {
  place: CalendarPlace;
  period: Period;
  isChosen: boolean;
  choose: () => void;
}): React.JSX.Element {
  const { place } = props;
  const outcomes = outcomesOf(place);
  const label = placeLabel(place);
  return (
    <button
      className="sb-Day"
      aria-label={label}
      aria-pressed={props.isChosen}
      title={label}
      onClick={props.choose}
    >
      <span className="sb-Help">{placeName(place, props.period)}</span>
      <span className="sb-DayRuns">
        {outcomes.map(([status, count]) => (
          <span key={status} className="sb-Count">
            <Glyph state={status} />
            {count}
          </span>
        ))}
      </span>
      <span className="sb-DayIntervals">
        {INTERVALS.map(({ state, sign }) => {
          const count = place.intervals[state] ?? 0;
          return (
            count > 0 && (
              <span key={state} className="sb-Count" data-interval={state}>
                {sign}
                {count > 1 && ` ${count}`}
              </span>
            )
          );
        })}
      </span>
    </button>
  );
}
