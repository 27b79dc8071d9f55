/** The name of a run with its time, as every view shows it. */

import * as React from 'react';

import { ago } from '../model/format';
import { runTitle, shortId } from '../model/run-name';
import { useNow } from './hooks';

/** `fab3 · 15 min ago`; the title has the whole id and the exact time. */
export function RunName(props: {
  readonly run: { readonly id: string; readonly started: number };
}): React.JSX.Element {
  const { run } = props;
  const now = useNow(20);
  return (
    <span className="sb-RunId" title={runTitle(run)}>
      <code>{shortId(run.id)}</code> · {ago(run.started, now)}
    </span>
  );
}
