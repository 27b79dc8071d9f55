/** A stage of a run that was chosen in the grid, as it was then. */

import * as React from 'react';

import { ago } from '../model/format';
import { stageOfRun, type Where } from '../services/operations';
import type { Context } from './context';
import { useAnswer } from './hooks';
import { Glyph } from './parts';
import { RunName } from './run-name';
import { StageButtons, StageFacts } from './stage-of-run';
import type { Chosen } from './timeline';

export function RunOfGrid(props: {
  context: Context;
  where: Where;
  chosen: Chosen;
  /** Read again when it changes. */
  round: unknown;
  showRun: () => void;
}): React.JSX.Element {
  const { context, where, chosen } = props;
  const { store, trans } = context;
  const answer = useAnswer(
    () => stageOfRun(store.api, where, chosen.run, chosen.stage),
    [where, chosen, props.round]
  );
  const reply = answer.value;
  if (reply === null) {
    return <p className="sb-None">{answer.error || '…'}</p>;
  }
  const { run, stage, notes } = reply;
  const status = stage?.status ?? run.status;
  const isHere = where.environment === 'dev';
  return (
    <section aria-label={trans.__('%1 in the run %2', chosen.stage || trans.__('All'), run.id)}>
      <h1>
        <Glyph state={status} /> {chosen.stage || <RunName run={run} />}
      </h1>
      <p>{status}</p>
      <p className="sb-Help">
        <RunName run={run} />
        {run.interval && ` · ${trans.__('about %1', run.interval)}`}
      </p>
      {stage !== null && (
        <div className="sb-Buttons">
          {isHere && <StageButtons context={context} stage={stage} />}
          <button className="sb-Button" onClick={props.showRun}>
            {trans.__('The whole run')}
          </button>
        </div>
      )}
      {stage !== null && <StageFacts context={context} stage={stage} />}
      {!isHere && (
        <p className="sb-Help">
          {trans.__('In a terminal:')}{' '}
          <code>{`stagebook logs ${run.id}${stage === null ? '' : ` ${stage.id}`} --env ${where.environment}`}</code>
        </p>
      )}
      {notes.length > 0 && (
        <>
          <h2>{trans.__('Notes')}</h2>
          <ul className="sb-Notes">
            {notes.map(note => (
              <li key={`${note.at} ${note.text}`}>
                {note.kind === 'acknowledged' && <strong>✓ {trans.__('acknowledged')} </strong>}
                {note.text}{' '}
                <span className="sb-Help">
                  {note.by}, {ago(note.at, Date.now() / 1000)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
