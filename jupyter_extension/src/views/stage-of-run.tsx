/** A stage of a run, as it was then: what can be opened of it, and what is known. */

import * as React from 'react';

import { duration, figure } from '../model/format';
import { moment } from '../model/moments';
import { shortId } from '../model/run-name';
import type { AttemptInfo, RunReply, StageInfo } from '../wire';
import type { Context } from './context';
import { Breakable, FactList, Findings, Glyph } from './parts';

/** All about one stage of a run of the working tree. */
export function StageOfRun(props: {
  context: Context;
  reply: RunReply;
  stage: StageInfo;
  close: () => void;
}): React.JSX.Element {
  const { context, reply, stage } = props;
  const { trans } = context;
  const prefix = `${stage.id}.`;
  const metrics = Object.entries(reply.metrics).filter(([name]) => name.startsWith(prefix));
  return (
    <section className="sb-StageOfRun" aria-label={trans.__('%1 in the run %2', stage.id, reply.run.id)}>
      <div className="sb-Buttons">
        <h2>
          <Glyph state={stage.status} /> {stage.id}
        </h2>
        <span className="sb-Help">{stage.status}</span>
        <StageButtons context={context} stage={stage} />
        <button className="sb-Button sb-CloseStage" title={trans.__('Close')} onClick={props.close}>
          <span aria-hidden="true">×</span>
          <span className="sb-Hidden">{trans.__('Close the stage')}</span>
        </button>
      </div>
      {metrics.length > 0 && (
        <dl aria-label={trans.__('Metrics')}>
          {metrics.map(([name, value]) => (
            <React.Fragment key={name}>
              <dt>{name.slice(prefix.length)}</dt>
              <dd>{figure(value)}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
      <StageFacts context={context} stage={stage} />
      <Attempts context={context} stage={stage} attempts={reply.attempts[stage.id] ?? []} />
    </section>
  );
}

/** What can be opened of a stage of the working tree. */
export function StageButtons(props: { context: Context; stage: StageInfo }): React.JSX.Element | null {
  const { stage } = props;
  const { actions, trans } = props.context;
  return !stage.has_notebook ? null : (
    <>
      <button className="sb-Button" onClick={() => actions.openExecutedOf(stage)}>
        {trans.__('Executed notebook')}
      </button>
      {stage.attempt > 0 && (
        <button className="sb-Button" onClick={() => actions.openLogOf(stage)}>
          {trans.__('Log')}
        </button>
      )}
    </>
  );
}

/** The attempts of a stage that was tried more than once, each with its log. */
function Attempts(props: {
  context: Context;
  stage: StageInfo;
  attempts: readonly AttemptInfo[];
}): React.JSX.Element | null {
  const { stage, attempts } = props;
  const { actions, trans } = props.context;
  if (attempts.length < 2) {
    return null;
  }
  return (
    <>
      <h3>{trans.__('Attempts')}</h3>
      <ol className="sb-Attempts">
        {attempts.map(one => (
          <li key={one.attempt}>
            {one.ended === null
              ? trans.__('running')
              : `${one.cause || trans.__('completed')} ${trans.__('after')} ${duration(one.ended - one.started)}`}{' '}
            <button className="sb-Link" onClick={() => actions.openLogOf({ ...stage, attempt: one.attempt })}>
              {trans.__('log of attempt %1', one.attempt)}
            </button>
            {one.message && <p className="sb-Message">{one.message}</p>}
          </li>
        ))}
      </ol>
    </>
  );
}

/** When and why, the message, the findings and the traceback. */
export function StageFacts(props: { context: Context; stage: StageInfo }): React.JSX.Element {
  const { stage } = props;
  const { trans } = props.context;
  const facts: [string, string][] = [];
  if (stage.of_run) {
    facts.push([trans.__('Result of'), trans.__('run %1', shortId(stage.of_run))]);
  }
  if (stage.started !== null) {
    facts.push([trans.__('Began'), moment(stage.started)]);
    if (stage.ended !== null) {
      facts.push([trans.__('Took'), duration(stage.ended - stage.started)]);
    }
  }
  if (stage.attempt > 1) {
    facts.push([trans.__('Attempt'), String(stage.attempt)]);
  }
  if (stage.reason && stage.reason !== stage.message) {
    facts.push([trans.__('Why'), stage.reason]);
  }
  return (
    <>
      {stage.message && (
        <p className="sb-Message">
          <Breakable text={stage.message} />
        </p>
      )}
      <FactList facts={facts} />
      <Findings text={stage.findings} />
      {stage.traceback && (
        <pre className="sb-Traceback" tabIndex={0} aria-label={trans.__('Traceback')}>
          {stage.traceback}
        </pre>
      )}
    </>
  );
}
