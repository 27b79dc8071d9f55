/** The form that makes an output of one stage an input of another. It is the body of a dialog. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { sourcesFor, targetFor } from '../model/new-stage';
import { connectStages, stageForm } from '../services/authoring';
import type { ConnectRequest } from '../wire';
import type { Context } from './context';
import { useAnswer } from './hooks';
import { FieldMistake, PreviewLines, usePreview } from './preview';

export class ConnectForm extends ReactWidget {
  /** `from` is the stage whose output it is; null where that is still to be chosen. */
  constructor(
    private readonly _context: Context,
    private readonly _from: string | null,
    to: string
  ) {
    super();
    this.addClass('sb-StageForm');
    const { store } = _context;
    const pipeline = store.pipeline?.key ?? '';
    this._request = { project: store.projectPath, pipeline, stage: to, source: '', name: '', alone: false };
  }

  /** What was chosen, as the server is asked to do it. */
  getValue(): ConnectRequest {
    return this._request;
  }

  protected override render(): React.JSX.Element {
    return (
      <Fields
        context={this._context}
        from={this._from}
        start={this._request}
        tell={request => {
          this._request = request;
        }}
      />
    );
  }

  private _request: ConnectRequest;
}

function Fields(props: {
  context: Context;
  from: string | null;
  start: ConnectRequest;
  tell: (request: ConnectRequest) => void;
}): React.JSX.Element {
  const { context, from, tell } = props;
  const { store, trans } = context;
  const [request, setRequest] = React.useState(props.start);
  const change = (patch: Partial<ConnectRequest>): void => {
    const next = { ...request, ...patch };
    setRequest(next);
    tell(next);
  };
  const stage = store.pipeline?.stages.find(one => one.name === request.stage);
  const { value: form, error } = useAnswer(
    () => stageForm(store.api, store.projectPath, request.pipeline, stage?.notebook ?? ''),
    [request.stage]
  );
  const sources = sourcesFor(form?.offers ?? [], request.stage, from);
  const planned = store.planner.plan?.stages.find(one => one.stage === request.stage);
  const taken = new Set(
    [planned?.inputs, planned?.outputs, planned?.params].flatMap(it => Object.keys(it ?? {}))
  );
  const free = (form?.parameters ?? []).filter(name => !taken.has(name));
  React.useEffect(() => {
    const source = sources[0];
    if (form !== null && source !== undefined) {
      change(as(source, targetFor(source, free)));
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when it is known what there is
  }, [form]);
  const preview = usePreview(() => connectStages(store.api, { ...request, preview: true }), [request]);
  const mistakes = preview.problem?.fields ?? {};
  if (form !== null && sources.length === 0) {
    return (
      <p className="jp-mod-error sb-FieldError" role="alert" tabIndex={-1} ref={node => node?.focus()}>
        <span aria-hidden="true">✗</span> {trans.__('No other stage has an output.')}
      </p>
    );
  }
  return (
    <>
      <div className="sb-Field">
        <label htmlFor="sb-connect-source">{trans.__('Output')}</label>
        <select
          id="sb-connect-source"
          className="sb-Select"
          value={request.source}
          onChange={event => change(as(event.target.value, targetFor(event.target.value, free)))}
        >
          {sources.map(source => (
            <option key={source}>{source}</option>
          ))}
        </select>
        <FieldMistake id="sb-connect-source-mistake" text={mistakes['source'] ?? mistakes['stage']} />
      </div>
      <div className="sb-Field">
        <label htmlFor="sb-connect-name">{trans.__('Parameter of its notebook')}</label>
        <select
          id="sb-connect-name"
          className="sb-Select"
          value={request.name ?? ''}
          onChange={event => change(as(request.source, event.target.value))}
        >
          {free.map(name => (
            <option key={name}>{name}</option>
          ))}
          <option value="">{trans.__('none: the notebook names the file by itself')}</option>
        </select>
        <FieldMistake id="sb-connect-name-mistake" text={error || mistakes['name']} />
      </div>
      <PreviewLines context={context} preview={preview} />
    </>
  );
}

/** An output as an input: as a parameter of the notebook, or, without one, by its path alone. */
function as(source: string, name: string): Pick<ConnectRequest, 'source' | 'name' | 'alone'> {
  return { source, name, alone: name === '' };
}
