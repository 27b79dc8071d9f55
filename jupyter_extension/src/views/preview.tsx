/** What of a form for a pipeline file is the same: the lines that would be added, or why nothing can be. */

import * as React from 'react';

import { replyOf } from '../services/api';
import type { ErrorReply, NewStageReply } from '../wire';
import type { Context } from './context';

const SETTLE = 200; // milliseconds of quiet before it is asked what would be added

export interface Preview {
  readonly reply: NewStageReply | null;
  readonly problem: ErrorReply | null;
}

const UNKNOWN: Preview = { reply: null, problem: null };

/** What would be added; asked again when what it depends on changed. */
export function usePreview(ask: () => Promise<NewStageReply>, depends: readonly unknown[]): Preview {
  const [preview, setPreview] = React.useState<Preview>(UNKNOWN);
  const asking = React.useRef(ask);
  asking.current = ask;
  React.useEffect(() => {
    let isOver = false;
    const show = (found: Preview): void => {
      if (!isOver) {
        setPreview(found);
      }
    };
    const timer = setTimeout(() => {
      asking.current().then(
        reply => show({ reply, problem: null }),
        (error: unknown) => show({ reply: null, problem: replyOf(error) })
      );
    }, SETTLE);
    return () => {
      isOver = true;
      clearTimeout(timer);
      setPreview(found => ({ ...found, reply: null }));
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller says what it depends on
  }, [JSON.stringify(depends)]);
  return preview;
}

/** The lines that would be added. Until they are known the dialog around it cannot be accepted. */
export function PreviewLines(props: { context: Context; preview: Preview }): React.JSX.Element {
  const { store, trans } = props.context;
  const { reply, problem } = props.preview;
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    // JupyterLab's dialogs look for mistakes whenever something is typed.
    node.current?.dispatchEvent(new Event('input', { bubbles: true }));
  }, [reply]);
  const isElsewhere = problem !== null && Object.keys(problem.fields).length === 0;
  return (
    <div className={reply === null ? 'sb-Lines jp-mod-error' : 'sb-Lines'} ref={node} aria-live="polite">
      <p className="sb-Legend">{trans.__('These lines are added to %1:', store.pipeline?.path ?? '')}</p>
      {isElsewhere ? (
        <p className="sb-FieldError">
          <span aria-hidden="true">✗</span> {problem.message} {problem.hint}
        </p>
      ) : (
        <pre tabIndex={0} aria-label={trans.__('Lines that are added')}>
          {reply?.lines.join('\n') ?? '…'}
        </pre>
      )}
    </div>
  );
}

/** A mistake at its field. */
export function FieldMistake(props: { id: string; text: string | undefined }): React.JSX.Element | null {
  return props.text === undefined || props.text === '' ? null : (
    <span className="sb-FieldError" id={props.id}>
      <span aria-hidden="true">✗</span> {props.text}
    </span>
  );
}
