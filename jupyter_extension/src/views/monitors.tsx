/** The figures of a stage over the runs, each as a small plot. */

import * as React from 'react';

import type { Context } from './context';
import { plotOf } from '../model/plot';
import { useAnswer } from './hooks';
import type { MonitorSeries, StageInfo } from '../wire';

const WIDTH = 120;
const HEIGHT = 24;

/** What runs made of a stage; nothing where there are no figures yet. */
export function Monitors(props: { context: Context; info: StageInfo }): React.JSX.Element | null {
  const { context, info } = props;
  const { store, trans } = context;
  const pipeline = store.pipeline?.key ?? '';
  const { value } = useAnswer(
    () => (pipeline === '' ? null : store.api.monitors(store.projectPath, pipeline, info.id)),
    [pipeline, info.id, info.run, info.status]
  );
  if (value === null || value.series.length === 0) {
    return null;
  }
  return (
    <table className="sb-Monitors" aria-label={trans.__('Figures over the runs')}>
      <tbody>
        {value.series.map(series => (
          <tr key={series.name} className={series.unusual ? 'sb-mod-unusual' : ''}>
            <th scope="row">{series.name}</th>
            <td>
              {series.unusual ? '! ' : ''}
              {series.points[series.points.length - 1]?.text}
            </td>
            <td>
              <Plot series={series} />
            </td>
            <td className="sb-Help">{series.unusual ? trans.__('usually %1', series.usual) : ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The course of a figure; the range that is usual is a band behind it. */
function Plot(props: { series: MonitorSeries }): React.JSX.Element {
  const { series } = props;
  const plot = plotOf(series, WIDTH, HEIGHT);
  const last = plot.points[plot.points.length - 1];
  const first = series.points[0];
  const newest = series.points[series.points.length - 1];
  return (
    <svg
      className="sb-Plot"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`${series.points.length} runs, from ${first?.text ?? ''} to ${newest?.text ?? ''}`}
    >
      {plot.band && <rect x={0} width={WIDTH} y={plot.band.top} height={plot.band.height} />}
      <polyline points={plot.points.map(point => `${point.x},${point.y}`).join(' ')} />
      {last && <circle cx={last.x} cy={last.y} r={2.5} />}
      {series.points.map((point, at) => (
        <circle
          key={point.run}
          className="sb-PlotPoint"
          cx={plot.points[at]?.x}
          cy={plot.points[at]?.y}
          r={5}
        >
          <title>{`${point.run}: ${point.text}`}</title>
        </circle>
      ))}
    </svg>
  );
}
