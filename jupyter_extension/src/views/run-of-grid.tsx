/** A stage of a run that was chosen in the grid, as it was then. */

import * as React from 'react';

import { ago, duration } from '../model/format';
import { moment } from '../model/moments';
import { columnTitle } from '../model/timeline';
import { stageOfRun, type Where } from '../services/operations';
import type { StageInfo } from '../wire';
import type { Context } from './context';
import { useAnswer } from './hooks';
import { Breakable, Findings, Glyph } from './parts';
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
        <Glyph state={status} /> {chosen.stage || run.id}
      </h1>
      <p>
        {status}
        {stage?.of_run && ` · ${trans.__('the result of the run %1', stage.of_run)}`}
      </p>
      <p className="sb-Help">
        {trans.__('run %1', run.id)} · {columnTitle(run, 'UTC').split(', ')[0]}
      </p>
      {stage !== null && <Buttons context={context} stage={stage} isHere={isHere} showRun={props.showRun} />}
      {stage !== null && <Facts context={context} stage={stage} />}
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

/** What can be opened of a stage. Of other environments only what the journal says is shown here. */
function Buttons(props: {
  context: Context;
  stage: StageInfo;
  isHere: boolean;
  showRun: () => void;
}): React.JSX.Element {
  const { stage, isHere } = props;
  const { actions, trans } = props.context;
  const hasNotebook = isHere && stage.has_notebook;
  return (
    <div className="sb-Buttons">
      {hasNotebook && (
        <button className="sb-Button" onClick={() => actions.openExecutedOf(stage)}>
          {trans.__('Executed notebook')}
        </button>
      )}
      {hasNotebook && stage.attempt > 0 && (
        <button className="sb-Button" onClick={() => actions.openLogOf(stage)}>
          {trans.__('Log')}
        </button>
      )}
      <button className="sb-Button" onClick={props.showRun}>
        {trans.__('The whole run')}
      </button>
    </div>
  );
}

function Facts(props: { context: Context; stage: StageInfo }): React.JSX.Element {
  const { stage } = props;
  const { trans } = props.context;
  const facts: [string, string][] = [];
  if (stage.started !== null) {
    facts.push([trans.__('Began'), moment(stage.started)]);
    if (stage.ended !== null) {
      facts.push([trans.__('Took'), duration(stage.ended - stage.started)]);
    }
  }
  if (stage.attempt > 1) {
    facts.push([trans.__('Attempt'), String(stage.attempt)]);
  }
  if (stage.reason) {
    facts.push([trans.__('Why'), stage.reason]);
  }
  return (
    <>
      {stage.message && (
        <p className="sb-Message">
          <Breakable text={stage.message} />
        </p>
      )}
      <dl>
        {facts.map(([name, text]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </React.Fragment>
        ))}
      </dl>
      <Findings text={stage.findings} />
      {stage.traceback && <pre className="sb-Traceback">{stage.traceback}</pre>}
    </>
  );
}
