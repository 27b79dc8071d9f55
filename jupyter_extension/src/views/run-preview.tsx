/** What the run of the form would do: the decision for each stage, and its reason. */

import * as React from 'react';

import { plural } from '../model/format';
import { isIncomplete } from '../model/run-request';
import type { PlanReply } from '../wire';
import type { Context } from './context';
import { DecisionSign } from './parts';

const SHOWN = 200; // stages
const MISTAKES = 5;

/** The decision for each stage, and its reason. */
export function RunPreview(props: { context: Context }): React.JSX.Element {
  const { store, trans } = props.context;
  const { draft, preview, previewProblem } = store.planner;
  if (previewProblem !== null) {
    return (
      <div className="sb-RunPreview" role="alert">
        <p className="sb-FieldError">
          {previewProblem.message} {previewProblem.hint}
        </p>
        {previewProblem.problems.slice(0, MISTAKES).map(problem => (
          <p key={problem.message} className="sb-Help">
            {problem.message}
          </p>
        ))}
        {previewProblem.problems.length > MISTAKES && (
          <p className="sb-Help">{plural(previewProblem.problems.length - MISTAKES, 'more problem')}</p>
        )}
      </div>
    );
  }
  if (preview === null) {
    return <p className="sb-RunPreview sb-Help">{isIncomplete(draft) ? '' : '…'}</p>;
  }
  const shown = preview.stages.filter(stage => stage.decision !== 'SKIP');
  return (
    <div className="sb-RunPreview" role="status">
      <p>{summary(preview) || trans.__('The pipeline has no stages.')}</p>
      <ul>
        {shown.slice(0, SHOWN).map(stage => (
          <li key={stage.id} title={stage.reasons.join('\n')}>
            <DecisionSign decision={stage.decision} restores={stage.restores.length > 0} />{' '}
            <span>{stage.id}</span> <span className="sb-Help">{stage.reasons[0] ?? ''}</span>
          </li>
        ))}
      </ul>
      {shown.length > SHOWN && <p className="sb-Help">{plural(shown.length - SHOWN, 'more stage')}</p>}
    </div>
  );
}

/** Such as `2 would run, 3 up to date, 1 waits`. */
function summary(plan: PlanReply): string {
  return DECISIONS.flatMap(({ decision, one, many }) => {
    const count = plan.stages.filter(stage => stage.decision === decision).length;
    return count > 0 ? [`${count} ${count === 1 ? one : many}`] : [];
  }).join(', ');
}

const DECISIONS = [
  { decision: 'RUN', one: 'would run', many: 'would run' },
  { decision: 'REUSE', one: 'up to date', many: 'up to date' },
  { decision: 'AUDIT', one: 'audits again', many: 'audit again' },
  { decision: 'WAIT', one: 'waits', many: 'wait' },
  { decision: 'SKIP', one: 'skipped', many: 'skipped' }
] as const;
