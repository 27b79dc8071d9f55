/** The button that opens the incidents, with how many are open. */

import * as React from 'react';

import { plural } from '../model/format';
import { openIncidents } from '../services/operations';
import type { Context } from './context';
import { useAnswer, useRound } from './hooks';

export function IncidentsButton(props: { context: Context }): React.JSX.Element {
  const { store, actions, trans } = props.context;
  const { projectPath, project } = store;
  const [round] = useRound(props.context);
  const open = useAnswer(
    () => (project === null ? null : openIncidents(store.api, projectPath)),
    [projectPath, project === null, round]
  );
  const count = open.value ?? 0;
  return (
    <button
      className="sb-Button"
      title={count === 0 ? trans.__('Nothing is wrong that is known') : trans.__('What is wrong, since when')}
      aria-label={count === 0 ? undefined : plural(count, 'open incident')}
      onClick={() => actions.openIncidents()}
    >
      {trans.__('Incidents')}
      {count > 0 && <span className="sb-Badged">✗ {count}</span>}
    </button>
  );
}
