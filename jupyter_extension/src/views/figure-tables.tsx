/** The figures of a pipeline as a table, each with a plot of its weeks; and the scores of datasets. */

import * as React from 'react';

import { courseWords, trendOf, weeksOf } from '../model/figures';
import { plural } from '../model/format';
import { day } from '../model/moments';
import { courseOf, EDGE } from '../model/plot';
import type { DatasetScore, FigureGroup, FigureInfo, FigurePoint } from '../wire';
import type { Context } from './context';

const WIDTH = 120;
const HEIGHT = 20;

/** Which lines are unfolded, by their names. */
type Unfolded = ReadonlySet<string>;

export function FigureTable(props: {
  context: Context;
  groups: readonly FigureGroup[];
  days: number;
}): React.JSX.Element {
  const { context, groups, days } = props;
  const { trans } = context;
  const [unfolded, setUnfolded] = React.useState<Unfolded>(new Set());
  const names = groups.flatMap(group => group.figures.map(one => one.name));
  const isAll = names.every(name => unfolded.has(name));
  return (
    <>
      <div className="sb-Buttons">
        <button
          className="sb-Button"
          aria-pressed={isAll}
          onClick={() => setUnfolded(new Set(isAll ? [] : names))}
        >
          {trans.__('Explain all')}
        </button>
      </div>
      <table className="sb-Figures" aria-label={trans.__('Figures')}>
        <thead>
          <tr>
            <th scope="col">{trans.__('figure')}</th>
            <th scope="col">{trans.__('now')}</th>
            <th scope="col">{trans.__('%1 before', plural(days, 'day'))}</th>
            <th scope="col">{trans.__('trend')}</th>
            <th scope="col" title={trans.__('A point for each week, from 0 to the highest')}>
              {trans.__('week by week')}
            </th>
            <th scope="col">{trans.__('stands on')}</th>
          </tr>
        </thead>
        {groups.map(group => (
          <tbody key={group.title}>
            <tr>
              <th scope="rowgroup" colSpan={6}>
                <h2>{group.title}</h2>
              </th>
            </tr>
            {group.figures.map(one => (
              <Figure
                key={one.name}
                context={context}
                one={one}
                isUnfolded={unfolded.has(one.name)}
                unfold={() => setUnfolded(toggled(unfolded, one.name))}
              />
            ))}
          </tbody>
        ))}
      </table>
    </>
  );
}

function Figure(props: {
  context: Context;
  one: FigureInfo;
  isUnfolded: boolean;
  unfold: () => void;
}): React.JSX.Element {
  const { context, one, isUnfolded, unfold } = props;
  const { trans } = context;
  const weeks = weeksOf(one.points);
  return (
    <>
      <tr>
        <th scope="row">
          <Unfold label={one.title} isUnfolded={isUnfolded} unfold={unfold} />
          {one.parts && <span className="sb-Help sb-Below">{one.parts}</span>}
        </th>
        <td className="sb-Number sb-Now">{one.text || <None context={context} />}</td>
        <td className="sb-Number">{one.before || <None context={context} />}</td>
        <td>
          <Trend one={one} />
        </td>
        <td>{weeks.length > 0 && <Course points={one.points} />}</td>
        <td className="sb-Help">{one.stands_on}</td>
      </tr>
      {isUnfolded && (
        <tr className="sb-Explained">
          <td colSpan={6}>
            <dl>
              <dt>{trans.__('formula')}</dt>
              <dd>{one.formula}</dd>
              <dt>{trans.__('from')}</dt>
              <dd>{one.sources}</dd>
              {one.why_left_out && (
                <>
                  <dt>{trans.__('left out')}</dt>
                  <dd>{one.why_left_out}</dd>
                </>
              )}
              <dt>{trans.__('by week')}</dt>
              <dd>
                {weeks.map((week, at) => (
                  <React.Fragment key={week.end}>
                    {at > 0 && ' · '}
                    <span className="sb-Week">
                      {trans.__('to %1', day(week.end))}: {week.text}
                    </span>
                  </React.Fragment>
                ))}
                {weeks.length === 0 && trans.__('no week has a value')}
              </dd>
            </dl>
          </td>
        </tr>
      )}
    </>
  );
}

/** The button that unfolds a line. */
function Unfold(props: { label: string; isUnfolded: boolean; unfold: () => void }): React.JSX.Element {
  return (
    <button className="sb-Unfold" aria-expanded={props.isUnfolded} onClick={props.unfold}>
      <span aria-hidden="true">{props.isUnfolded ? '▾' : '▸'}</span> {props.label}
    </button>
  );
}

/** There is nothing that a figure could stand on. */
function None(props: { context: Context }): React.JSX.Element {
  return (
    <>
      <span aria-hidden="true">-</span>
      <span className="sb-Hidden">{props.context.trans.__('no value')}</span>
    </>
  );
}

/** Which way a figure went: a sign, the word for who hears it, and whether that is the right way. */
function Trend(props: { one: FigureInfo }): React.JSX.Element | null {
  const trend = trendOf(props.one);
  if (trend === null) {
    return null;
  }
  return (
    <span className="sb-Trend" data-verdict={trend.verdict}>
      <span aria-hidden="true">{trend.sign}</span>
      <span className="sb-Hidden">{trend.spoken}</span> {trend.verdict}
    </span>
  );
}

/** The weeks of a figure, from 0 to the highest; where one has no value, the line is interrupted. */
function Course(props: { points: readonly FigurePoint[] }): React.JSX.Element {
  const { points } = props;
  const stretches = courseOf(
    points.map(point => point.value),
    WIDTH,
    HEIGHT
  );
  const spots = stretches.flat();
  const last = spots[spots.length - 1];
  return (
    <svg
      className="sb-Plot sb-Course"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={courseWords(points)}
    >
      <line x1={0} x2={WIDTH} y1={HEIGHT - EDGE} y2={HEIGHT - EDGE} />
      {stretches.map(stretch =>
        stretch.length > 1 ? (
          <polyline key={stretch[0]?.at} points={stretch.map(spot => `${spot.x},${spot.y}`).join(' ')} />
        ) : (
          <circle key={stretch[0]?.at} cx={stretch[0]?.x} cy={stretch[0]?.y} r={1.5} />
        )
      )}
      {last && <circle cx={last.x} cy={last.y} r={2.5} />}
      {spots.map(spot => {
        const point = points[spot.at];
        return (
          <circle key={spot.at} className="sb-PlotPoint" cx={spot.x} cy={spot.y} r={5}>
            {point && <title>{`${day(point.start)} to ${day(point.end)}: ${point.text}`}</title>}
          </circle>
        );
      })}
    </svg>
  );
}

/** The quality scores of datasets, the worst first; unfolded, with the columns that are not perfect. */
export function DatasetTable(props: {
  context: Context;
  datasets: readonly DatasetScore[];
}): React.JSX.Element {
  const { context, datasets } = props;
  const { trans } = context;
  const [unfolded, setUnfolded] = React.useState<Unfolded>(new Set());
  return (
    <>
      <h2>{trans.__('Quality scores of datasets')}</h2>
      <table className="sb-Figures" aria-label={trans.__('Quality scores of datasets')}>
        <thead>
          <tr>
            <th scope="col">{trans.__('dataset')}</th>
            <th scope="col">{trans.__('score')}</th>
            <th scope="col">{trans.__('records')}</th>
            <th scope="col">{trans.__('worst column')}</th>
          </tr>
        </thead>
        <tbody>
          {datasets.map(one => {
            const isUnfolded = unfolded.has(one.dataset);
            const [worst] = one.columns;
            return (
              <React.Fragment key={one.dataset}>
                <tr>
                  <th scope="row">
                    <Unfold
                      label={one.dataset}
                      isUnfolded={isUnfolded}
                      unfold={() => setUnfolded(toggled(unfolded, one.dataset))}
                    />
                  </th>
                  <td className="sb-Number sb-Now">{one.text}</td>
                  <td className="sb-Number">{one.rows.toLocaleString('en')}</td>
                  <td>{worst === undefined ? trans.__('none') : `${worst.name} ${worst.text}`}</td>
                </tr>
                {isUnfolded && (
                  <tr className="sb-Explained">
                    <td colSpan={4}>{columnsOf(context, one)}</td>
                  </tr>
                )}
              </React.Fragment>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function columnsOf({ trans }: Context, one: DatasetScore): string {
  const named = one.columns.map(column => `${column.name} ${column.text}`);
  const more = one.more > 0 ? [trans.__('%1 more that are better', one.more)] : [];
  const perfect = one.perfect > 0 ? [trans.__('%1 without a finding', plural(one.perfect, 'column'))] : [];
  return [...named, ...more, ...perfect].join(' · ');
}

function toggled(names: Unfolded, name: string): Unfolded {
  const changed = new Set(names);
  if (!changed.delete(name)) {
    changed.add(name);
  }
  return changed;
}
