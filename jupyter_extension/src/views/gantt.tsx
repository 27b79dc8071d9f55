/** The stages of a run over time. */

import * as React from 'react';

import { duration, mark, plural } from '../model/format';
import { type Bar, gantt, type Segment, ticksOf } from '../model/gantt';
import type { StageInfo, TimesReply } from '../wire';
import type { Context } from './context';
import { useSize } from './hooks';
import { Glyph } from './parts';

const TICK = 64; // pixels that a mark of the axis of time takes
const LATE = 0.85; // of the axis; what stands there has its text before it

/** A run with its stages, as far as their times go. */
type Timed = Pick<TimesReply, 'stages' | 'upstream' | 'attempts'> & {
  readonly run: Pick<TimesReply['run'], 'started' | 'ended'>;
};

interface GanttProps {
  readonly context: Context;
  readonly reply: Timed;
  readonly now: number;
  readonly chosen: string;
  readonly choose: (stage: string) => void;
}

/** A bar for each stage that ran, with its attempts. A sign, besides the outline, marks the critical path. */
export function GanttChart(props: GanttProps): React.JSX.Element {
  const { reply, now } = props;
  const { trans } = props.context;
  const { run } = reply;
  const chart = gantt(run.started, run.ended ?? now, reply.stages, reply.upstream, reply.attempts);
  return (
    <figure className="sb-Gantt">
      {chart.bars.length === 0 ? (
        <p className="sb-Help">{trans.__('No stage ran.')}</p>
      ) : (
        <>
          <figcaption>
            {trans.__('Stages over time')}{' '}
            <span className="sb-Help">◆ {trans.__('on the critical path')}</span>
          </figcaption>
          <ul>
            {chart.bars.map(bar => (
              <GanttLine key={bar.info.id} {...props} bar={bar} />
            ))}
            <Axis seconds={chart.seconds} />
          </ul>
        </>
      )}
      <Others {...props} stages={chart.others} />
    </figure>
  );
}

function GanttLine(props: GanttProps & { bar: Bar }): React.JSX.Element {
  const { bar, chosen, choose } = props;
  const { info, segments } = bar;
  const { trans } = props.context;
  const words = [
    info.id,
    info.status,
    duration(bar.seconds),
    segments.length > 1 ? plural(segments.length, 'attempt') : '',
    bar.critical ? trans.__('on the critical path') : ''
  ];
  return (
    <li
      aria-label={words.filter(Boolean).join(', ')}
      data-chosen={chosen === info.id}
      onClick={() => choose(info.id)}
    >
      <button
        className="sb-Link sb-Clip"
        aria-pressed={chosen === info.id}
        title={trans.__('Show %1 of this run', info.id)}
      >
        <Glyph state={info.status} /> {info.id}
        {bar.critical && <span title={trans.__('on the critical path')}> ◆</span>}
      </button>
      <span className="sb-Track" aria-hidden="true">
        {segments.length > 1 && (
          <span className="sb-GanttWait" style={{ left: percent(bar.from), width: percent(bar.width) }} />
        )}
        {(segments.length > 0 ? segments : [{ ...bar, attempt: 1, status: info.status }]).map(segment => (
          <span
            key={segment.attempt}
            className="sb-GanttBar"
            data-state={segment.status}
            data-critical={bar.critical}
            title={attemptTitle(props.context, segment, segments.length)}
            style={{ left: percent(segment.from), width: percent(segment.width) }}
          >
            {segments.length > 1 && segment.status === 'failed' ? '✗' : ''}
          </span>
        ))}
      </span>
      <span className="sb-Help">
        {duration(bar.seconds)}
        {segments.length > 1 && ` ↻${segments.length}`}
      </span>
    </li>
  );
}

function attemptTitle(
  { trans }: Context,
  segment: Pick<Segment, 'attempt' | 'status' | 'seconds'>,
  of: number
): string {
  const took = duration(segment.seconds);
  return of > 1
    ? trans.__('attempt %1 of %2: %3, %4', segment.attempt, of, segment.status, took)
    : `${segment.status}, ${took}`;
}

/** The stages that have no bar, by what became of them. */
function Others(props: GanttProps & { stages: readonly StageInfo[] }): React.JSX.Element | null {
  const { stages, chosen, choose } = props;
  const { trans } = props.context;
  if (stages.length === 0) {
    return null;
  }
  return (
    <ul className="sb-Others" aria-label={trans.__('Stages that did not run')}>
      {stages.map(info => (
        <li key={info.id}>
          <button
            className="sb-Link"
            aria-pressed={chosen === info.id}
            title={info.reason}
            onClick={() => choose(info.id)}
          >
            <Glyph state={info.status} /> {info.id}
          </button>{' '}
          <span className="sb-Help">{info.status}</span>
        </li>
      ))}
    </ul>
  );
}

/** The axis of time, with as many marks as there is room for. */
function Axis(props: { seconds: number }): React.JSX.Element {
  const track = React.useRef<HTMLSpanElement>(null);
  const ticks = ticksOf(props.seconds, Math.max(2, Math.floor(useSize(track).width / TICK)));
  return (
    <li className="sb-Axis" aria-hidden="true">
      <span />
      <span className="sb-Track" ref={track}>
        {ticks.map(tick => (
          <span
            key={tick}
            className="sb-Tick"
            data-late={tick / props.seconds > LATE}
            style={{ left: percent(tick / props.seconds) }}
          >
            {mark(tick)}
          </span>
        ))}
      </span>
      <span />
    </li>
  );
}

function percent(part: number): string {
  return `${Math.round(part * 10000) / 100}%`;
}
