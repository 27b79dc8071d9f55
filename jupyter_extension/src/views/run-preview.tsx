/** What the run of the form would do: the decision for each stage, and its reason. */

import * as React from 'react';

import { plural } from '../model/format';
import { isIncomplete } from '../model/run-request';
import { plannedCounts } from '../model/stage-state';
import type { Context } from './context';
import { NextRunSign } from './parts';

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
      <p>{plannedCounts(preview.stages) || trans.__('The pipeline has no stages.')}</p>
      <ul>
        {shown.slice(0, SHOWN).map(stage => (
          <li key={stage.id} title={stage.reasons.join('\n')}>
            <NextRunSign word={stage.next_run} /> <span>{stage.id}</span>{' '}
            <span className="sb-Help">{stage.reasons[0] ?? ''}</span>
          </li>
        ))}
      </ul>
      {shown.length > SHOWN && <p className="sb-Help">{plural(shown.length - SHOWN, 'more stage')}</p>}
    </div>
  );
}
