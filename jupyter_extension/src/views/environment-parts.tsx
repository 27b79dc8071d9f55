/** Parts of the view of an environment: what waits for somebody's word, its versions, and the datasets that readers see. */

import * as React from 'react';

import type { Context } from './context';
import { ago, bytes } from '../model/format';
import { useNow } from './hooks';
import { Breakable } from './parts';
import type { EnvironmentReply, EnvironmentRequest, VersionInfo } from '../wire';

/** What is asked for, but for where. */
export type Ask = Omit<EnvironmentRequest, 'project' | 'target'>;

export interface Part {
  readonly context: Context;
  readonly reply: EnvironmentReply | null;
  readonly busy: boolean;
  readonly act: (what: string, done: string, request: Ask) => void;
}

export function Proposals(props: Part): React.JSX.Element | null {
  const { context, reply, busy, act } = props;
  const { actions, trans } = context;
  const now = useNow(30);
  if (reply === null || reply.proposals.length === 0) {
    return null;
  }
  return (
    <table aria-label={trans.__('What waits for a word')}>
      <tbody>
        {reply.proposals.map(one => (
          <tr key={one.number}>
            <td>
              ! {one.release.slice(0, 10)} · {one.by}, {ago(one.at, now)}
              {one.because && `: ${one.because}`}
            </td>
            <td>
              <span className="sb-Buttons">
                <button
                  className="sb-Button"
                  disabled={busy}
                  onClick={() =>
                    actions.approve(reply.environment.name, one.number, (what, request) =>
                      act(what, trans.__('Approved.'), request)
                    )
                  }
                >
                  {trans.__('Approve …')}
                </button>
                <button
                  className="sb-Button"
                  disabled={busy}
                  onClick={() =>
                    act(trans.__('turning it down …'), trans.__('Turned down.'), {
                      action: 'reject',
                      number: one.number
                    })
                  }
                >
                  {trans.__('Turn down')}
                </button>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Versions(props: Part & { compare: (version: number) => void }): React.JSX.Element | null {
  const { context, reply, busy, act } = props;
  const { actions, trans } = context;
  const now = useNow(30);
  if (reply === null || reply.versions.length === 0) {
    return null;
  }
  const current = reply.environment.version;
  return (
    <table aria-label={trans.__('Versions')}>
      <thead>
        <tr>
          <th>{trans.__('Version')}</th>
          <th>{trans.__('Since')}</th>
          <th>{trans.__('By')}</th>
          <th>{trans.__('What')}</th>
          <th>
            <span className="sb-Hidden">{trans.__('Actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {reply.versions.map(one => (
          <tr key={one.version} data-current={one.version === current}>
            <td>
              {one.version}
              {one.version === current && ` · ${trans.__('current')}`}
            </td>
            <td>{ago(one.at, now)}</td>
            <td>{one.approved_by ? trans.__('%1, approved by %2', one.by, one.approved_by) : one.by}</td>
            <td>{whatOf(one)}</td>
            <td>
              <span className="sb-Buttons">
                {one.version !== current && (
                  <>
                    <button className="sb-Button" disabled={busy} onClick={() => props.compare(one.version)}>
                      {trans.__('Compare')}
                    </button>
                    <button
                      className="sb-Button"
                      disabled={busy}
                      onClick={() =>
                        actions.rollBack(reply.environment.name, one.version, (what, request) =>
                          act(what, trans.__('Readers see version %1 again.', one.version), request)
                        )
                      }
                    >
                      {trans.__('Roll back …')}
                    </button>
                  </>
                )}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function whatOf(one: VersionInfo): string {
  const release = one.release.slice(0, 10);
  const words = one.shows > 0 ? `rollback to version ${one.shows}` : one.kind;
  return [words, release, one.because].filter(Boolean).join(' · ');
}

export function Datasets(props: {
  context: Context;
  reply: EnvironmentReply | null;
}): React.JSX.Element | null {
  const { reply } = props;
  const { trans } = props.context;
  if (reply === null || reply.datasets.length === 0) {
    return null;
  }
  const models = Object.entries(reply.models).map(
    ([name, version]) => `${name} ${trans.__('version')} ${version}`
  );
  return (
    <>
      <table aria-label={trans.__('Datasets that readers see')}>
        <thead>
          <tr>
            <th>{trans.__('Dataset')}</th>
            <th>{trans.__('Path')}</th>
            <th>{trans.__('Size')}</th>
            <th>{trans.__('Contract')}</th>
          </tr>
        </thead>
        <tbody>
          {reply.datasets.map(one => (
            <tr key={one.name}>
              <td>{one.name}</td>
              <td>
                <Breakable text={one.path} />
              </td>
              <td>{one.size === null ? '' : bytes(one.size)}</td>
              <td>{one.contract}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {models.length > 0 && (
        <p>
          {trans.__('Models in MLflow:')} {models.sort().join(', ')}
        </p>
      )}
    </>
  );
}
