/** A plot of a value of the runs in the table against another one. */

import * as React from 'react';

import { runLabel } from '../model/run-name';
import { type Column, type Row, valueOf } from '../model/run-table';
import { type Scatter, scatterOf } from '../model/scatter';
import type { Context } from './context';
import { useNow, useSize } from './hooks';
import { RunName } from './run-name';

const HEIGHT = 240; // pixels
const AXES = { left: 64, right: 12, top: 10, bottom: 26 } as const; // pixels around the points
const RADIUS = 5;

export function RunPlot(props: {
  context: Context;
  columns: readonly Column[];
  rows: readonly Row[];
  current: string | null;
  show: (run: string) => void;
}): React.JSX.Element {
  const { columns, rows } = props;
  const { trans } = props.context;
  const numbers = columns.filter(
    one => one.kind === 'metric' && rows.some(row => typeof valueOf(row, one) === 'number')
  );
  const differing = (column: Column): boolean => new Set(rows.map(row => valueOf(row, column))).size > 2;
  const up = [
    ...numbers.filter(differing),
    ...numbers.filter(one => !differing(one)),
    ...columns.filter(one => one.kind === 'took')
  ];
  const along = [
    ...columns.filter(one => one.kind === 'param' && one.isUsual),
    ...columns.filter(one => one.kind === 'run'),
    ...columns.filter(one => one.kind === 'param' && !one.isUsual),
    ...up
  ];
  const [xId, setX] = React.useState('');
  const [yId, setY] = React.useState('');
  const x = along.find(one => one.id === xId) ?? along[0];
  const y = up.find(one => one.id === yId) ?? up[0];
  if (x === undefined || y === undefined) {
    return <p className="sb-None">{trans.__('There is nothing to plot.')}</p>;
  }
  const plot = scatterOf(rows, x, y);
  const nameOf = (column: Column): string => (column.kind === 'run' ? trans.__('time') : column.label);
  return (
    <section className="sb-RunPlot" aria-label={trans.__('Plot')}>
      <div className="sb-Buttons">
        <AxisSelect label={trans.__('Vertical axis')} columns={up} value={y.id} name={nameOf} choose={setY} />
        <AxisSelect
          label={trans.__('Horizontal axis')}
          columns={along}
          value={x.id}
          name={nameOf}
          choose={setX}
        />
        <span className="sb-Help">
          {trans.__('%1 of %2 runs have both values', plot.spots.length, rows.length)}
        </span>
      </div>
      {plot.spots.length > 0 && (
        <Drawing {...props} plot={plot} title={trans.__('%1 by %2', nameOf(y), nameOf(x))} />
      )}
      <details>
        <summary>{trans.__('As a table')}</summary>
        <table aria-label={trans.__('%1 by %2', nameOf(y), nameOf(x))}>
          <thead>
            <tr>
              <th scope="col">{trans.__('Run')}</th>
              <th scope="col" data-number="true">
                {nameOf(x)}
              </th>
              <th scope="col" data-number="true">
                {nameOf(y)}
              </th>
            </tr>
          </thead>
          <tbody>
            {plot.spots.map(spot => (
              <tr key={spot.row.run.id}>
                <td>
                  <button className="sb-Link" onClick={() => props.show(spot.row.run.id)}>
                    <RunName run={spot.row.run} />
                  </button>
                </td>
                <td data-number="true">{spot.xText}</td>
                <td data-number="true">{spot.yText}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

function AxisSelect(props: {
  label: string;
  columns: readonly Column[];
  value: string;
  name: (column: Column) => string;
  choose: (id: string) => void;
}): React.JSX.Element {
  return (
    <label className="sb-Labelled">
      {props.label}{' '}
      <select className="sb-Select" value={props.value} onChange={event => props.choose(event.target.value)}>
        {props.columns.map(column => (
          <option key={column.id} value={column.id}>
            {props.name(column)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The points for the eye and the mouse; the table below has them for the keyboard and a screen reader. */
function Drawing(props: {
  context: Context;
  plot: Scatter;
  title: string;
  current: string | null;
  show: (run: string) => void;
}): React.JSX.Element {
  const { plot } = props;
  const { trans } = props.context;
  const frame = React.useRef<HTMLDivElement>(null);
  const now = useNow(60);
  const width = Math.max(200, useSize(frame).width);
  const x = (part: number): number => AXES.left + part * (width - AXES.left - AXES.right);
  const y = (part: number): number => HEIGHT - AXES.bottom - part * (HEIGHT - AXES.top - AXES.bottom);
  return (
    <div ref={frame}>
      <svg
        className="sb-Scatter"
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={trans.__('%1: %2 points; they are in the table below', props.title, plot.spots.length)}
      >
        {plot.yMarks.map(mark => (
          <g key={mark.at}>
            <line x1={x(0)} x2={x(1)} y1={y(mark.at)} y2={y(mark.at)} />
            <text x={AXES.left - 6} y={y(mark.at)} textAnchor="end" dominantBaseline="middle">
              {mark.text}
            </text>
          </g>
        ))}
        {plot.xMarks.map(mark => (
          <text key={mark.at} x={x(mark.at)} y={HEIGHT - 8} textAnchor="middle">
            {mark.text}
          </text>
        ))}
        <polyline points={`${x(0)},${y(1)} ${x(0)},${y(0)} ${x(1)},${y(0)}`} />
        {plot.spots.map(spot => (
          <circle
            key={spot.row.run.id}
            cx={x(spot.x)}
            cy={y(spot.y)}
            r={spot.row.run.id === props.current ? RADIUS + 2 : RADIUS}
            data-current={spot.row.run.id === props.current}
            onClick={() => props.show(spot.row.run.id)}
          >
            <title>{`${runLabel(spot.row.run, now)}\n${spot.xText}\n${spot.yText}`}</title>
          </circle>
        ))}
      </svg>
    </div>
  );
}
