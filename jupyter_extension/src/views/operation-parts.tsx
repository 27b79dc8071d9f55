/** Parts that the views of schedules, runs over time and incidents share. */

import * as React from 'react';

import type { Context } from './context';

/** What is done at the moment, and what became of the last thing. */
export interface Doing {
  readonly said: string;
  readonly error: string;
  readonly busy: boolean;
}

export type Work = (done: string, ask: () => Promise<unknown>) => void;

/** Does one thing at a time, says what became of it, and has `again` called then. */
export function useWork(again: () => void): { readonly work: Work; readonly doing: Doing } {
  const [doing, setDoing] = React.useState<Doing>({ said: '', error: '', busy: false });
  const work: Work = (done, ask) => {
    setDoing({ said: '…', error: '', busy: true });
    ask().then(
      () => {
        setDoing({ said: done, error: '', busy: false });
        again();
      },
      (error: unknown) => {
        setDoing({ said: '', error: error instanceof Error ? error.message : String(error), busy: false });
        again();
      }
    );
  };
  return { work, doing };
}

export function Status(props: { doing: Doing }): React.JSX.Element {
  const { said, error } = props.doing;
  return (
    <>
      <p className="sb-Detail sb-Said" role="status">
        {said}
      </p>
      {error && (
        <p className="sb-FieldError" role="alert">
          {error}
        </p>
      )}
    </>
  );
}

export function EnvironmentSelect(props: {
  context: Context;
  value: string;
  names: readonly string[];
  choose: (name: string) => void;
}): React.JSX.Element {
  const { trans } = props.context;
  const names = props.names.includes(props.value) ? props.names : [props.value, ...props.names];
  return (
    <label className="sb-Labelled">
      {trans.__('in')}{' '}
      <select
        className="sb-Select"
        aria-label={trans.__('Environment')}
        value={props.value}
        onChange={event => props.choose(event.target.value)}
      >
        {names.map(name => (
          <option key={name} value={name}>
            {name === 'dev' ? trans.__('dev, the working tree') : name}
          </option>
        ))}
      </select>
    </label>
  );
}
