/** The stages of the run that was chosen in the grid, over time. */

import * as React from 'react';

import { times, type Where } from '../services/operations';
import type { Context } from './context';
import { GanttChart } from './gantt';
import { useAnswer, useNow } from './hooks';
import { RunName } from './run-name';
import type { Chosen } from './timeline';

export function TimesOfRun(props: {
  context: Context;
  where: Where;
  chosen: Chosen;
  /** Read again when it changes. */
  round: unknown;
  choose: (chosen: Chosen) => void;
}): React.JSX.Element {
  const { context, where, chosen, choose } = props;
  const { trans } = context;
  const answer = useAnswer(
    () => times(context.store.api, where, chosen.run),
    [where, chosen.run, props.round]
  );
  const reply = answer.value;
  const now = useNow(reply?.run.ended === null ? 1 : 60);
  return (
    <section className="sb-Times" aria-label={trans.__('Times of the chosen run')}>
      {reply === null ? (
        <p className="sb-None">{answer.error || '…'}</p>
      ) : (
        <>
          <h2>
            {trans.__('Times of')} <RunName run={reply.run} />
            {reply.run.interval && ` · ${trans.__('about %1', reply.run.interval)}`}
          </h2>
          <GanttChart
            context={context}
            reply={reply}
            now={now}
            chosen={chosen.stage}
            choose={stage => choose({ run: chosen.run, stage })}
          />
        </>
      )}
    </section>
  );
}
