/** The form for a new stage: its name, its notebook, and what it gets and gives. It is the body of a dialog. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import {
  inputFor,
  isAmbiguous,
  type Kind,
  KINDS,
  proposedName,
  proposing,
  type Row,
  rowsOf,
  type StageDraft,
  wiringOf
} from '../model/new-stage';
import { addStage, stageForm } from '../services/authoring';
import type { ErrorReply, NewStageRequest, StageFormReply } from '../wire';
import type { Context } from './context';
import { useAnswer } from './hooks';
import { FieldMistake, PreviewLines, usePreview } from './preview';

export class StageForm extends ReactWidget {
  constructor(
    private readonly _context: Context,
    private readonly _notebook: string
  ) {
    super();
    this.addClass('sb-StageForm');
    this._draft = { name: proposedName(_notebook), notebook: _notebook, rows: [] };
  }

  /** The stage that was filled in, as the server is asked to add it. */
  getValue(): NewStageRequest {
    return requestOf(this._context, this._draft);
  }

  protected override render(): React.JSX.Element {
    return (
      <Fields
        context={this._context}
        start={this._draft}
        isFixed={this._notebook !== ''}
        tell={draft => {
          this._draft = draft;
        }}
      />
    );
  }

  private _draft: StageDraft;
}

function requestOf({ store }: Context, { name, notebook, rows }: StageDraft): NewStageRequest {
  const pipeline = store.pipeline?.key ?? '';
  return { project: store.projectPath, pipeline, name, notebook, wiring: wiringOf(rows) };
}

function Fields(props: {
  context: Context;
  start: StageDraft;
  /** Whether the notebook was chosen before. */
  isFixed: boolean;
  tell: (draft: StageDraft) => void;
}): React.JSX.Element {
  const { context, tell } = props;
  const { store, trans } = context;
  const [draft, setDraft] = React.useState(props.start);
  const change = (patch: Partial<StageDraft>): void => {
    const next = { ...draft, ...patch };
    setDraft(next);
    tell(next);
  };
  const { value: form, error } = useAnswer(
    () => stageForm(store.api, store.projectPath, store.pipeline?.key ?? '', draft.notebook),
    [draft.notebook]
  );
  const proposed = React.useRef<{ notebook: string; rows: readonly Row[] }>({ notebook: '', rows: [] });
  React.useEffect(() => {
    // What the notebook probably gets, once it is known; for a new one nothing is.
    if (form !== null && proposed.current.notebook !== draft.notebook) {
      const rows = rowsOf(form.wiring);
      change({ rows: proposing(draft.rows, proposed.current.rows, rows) });
      proposed.current = { notebook: draft.notebook, rows };
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the draft at that time
  }, [form]);
  const hasAmbiguous = draft.rows.some(row => isAmbiguous(row, draft.rows));
  const preview = usePreview(
    () => addStage(store.api, { ...requestOf(context, draft), preview: true }),
    [draft]
  );
  const shown = hasAmbiguous ? { ...preview, reply: null } : preview;
  const mistakes = preview.problem?.fields ?? {};
  return (
    <>
      <div className="sb-Field">
        <label htmlFor="sb-stage-name">{trans.__('Name of the stage')}</label>
        <input
          id="sb-stage-name"
          className="sb-Input"
          value={draft.name}
          aria-invalid={draft.name !== '' && 'name' in mistakes}
          aria-describedby="sb-stage-name-mistake"
          onChange={event => change({ name: event.target.value })}
        />
        <FieldMistake id="sb-stage-name-mistake" text={draft.name === '' ? '' : mistakes['name']} />
      </div>
      <NotebookField
        {...{ context, draft, change, form }}
        isFixed={props.isFixed}
        mistake={error || mistakes['notebook']}
      />
      {KINDS.map(kind => (
        <Rows key={kind} {...{ context, kind, draft, form, mistakes, change }} />
      ))}
      <datalist id="sb-stage-parameters">
        {form?.parameters.map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <PreviewLines context={context} preview={shown} />
    </>
  );
}

function NotebookField(props: {
  context: Context;
  draft: StageDraft;
  change: (patch: Partial<StageDraft>) => void;
  form: StageFormReply | null;
  isFixed: boolean;
  mistake: string | undefined;
}): React.JSX.Element {
  const { draft, change, form } = props;
  const { trans } = props.context;
  const listed = form?.notebooks ?? [];
  const paths =
    draft.notebook === '' || listed.includes(draft.notebook) ? listed : [draft.notebook, ...listed];
  return (
    <div className="sb-Field">
      <label htmlFor="sb-stage-notebook">{trans.__('Notebook')}</label>
      <select
        id="sb-stage-notebook"
        className="sb-Select"
        value={draft.notebook}
        disabled={props.isFixed}
        aria-describedby="sb-stage-notebook-mistake"
        onChange={event => {
          const notebook = event.target.value;
          change({ notebook, name: draft.name || proposedName(notebook) });
        }}
      >
        <option value="">{trans.__('a new one: notebooks/%1.ipynb', draft.name || '…')}</option>
        {paths.map(path => (
          <option key={path} value={path}>
            {path}
          </option>
        ))}
      </select>
      <FieldMistake
        id="sb-stage-notebook-mistake"
        text={draft.name === '' && draft.notebook === '' ? '' : props.mistake}
      />
    </div>
  );
}

/** What the stage gets or gives of one kind, and a way to add to it. */
function Rows(props: {
  context: Context;
  kind: Kind;
  draft: StageDraft;
  form: StageFormReply | null;
  mistakes: ErrorReply['fields'];
  change: (patch: Partial<StageDraft>) => void;
}): React.JSX.Element {
  const { context, kind, draft, form, mistakes, change } = props;
  const { trans, store } = context;
  const { rows } = draft;
  const put = (row: Row, patch: Partial<Row> | null): void =>
    change({ rows: rows.flatMap(one => (one !== row ? one : patch === null ? [] : { ...one, ...patch })) });
  const legends = {
    inputs: trans.__('Inputs'),
    outputs: trans.__('Outputs'),
    params: trans.__('Parameters')
  };
  const own = rows.filter(row => row.kind === kind);
  const parameters = draft.notebook === '' ? null : (form?.parameters ?? null);
  return (
    <fieldset className="sb-Rows">
      <legend>{legends[kind]}</legend>
      {own.map((row, at) => {
        const id = `sb-stage-${kind}-${at}`;
        const twice = row.name !== '' && isAmbiguous(row, rows) ? trans.__('This name is given twice.') : '';
        const mistake = mistakes[`${kind}.${row.name}`] ?? twice;
        return (
          <div className="sb-Row" key={at}>
            <input
              className="sb-Input"
              aria-label={trans.__('Parameter of the notebook')}
              aria-describedby={id}
              aria-invalid={mistake !== ''}
              list="sb-stage-parameters"
              placeholder={kind === 'params' ? trans.__('name') : trans.__('none: it names the file')}
              value={row.name}
              onChange={event => put(row, { name: event.target.value })}
            />
            <span aria-hidden="true">{SIGNS[kind]}</span>
            <input
              className="sb-Input"
              aria-label={row.name === '' ? trans.__('Path') : trans.__('What %1 is', row.name)}
              placeholder={PLACEHOLDERS[kind]}
              value={row.value}
              onChange={event => put(row, { value: event.target.value })}
            />
            <button
              type="button"
              className="sb-Reset"
              title={trans.__('Remove')}
              aria-label={trans.__('Remove %1', row.name || row.value)}
              onClick={() => put(row, null)}
            >
              ×
            </button>
            <FieldMistake id={id} text={mistake} />
          </div>
        );
      })}
      <AddRow
        {...{ context, kind }}
        choices={kind === 'inputs' ? (form?.offers ?? []) : (store.pipeline?.params ?? []).map(it => it.name)}
        add={choice => change({ rows: [...rows, rowFor(kind, choice, rows, parameters)] })}
      />
    </fieldset>
  );
}

const SIGNS: Readonly<Record<Kind, string>> = { inputs: '←', outputs: '→', params: '=' };
const PLACEHOLDERS: Readonly<Record<Kind, string>> = {
  inputs: 'stage.output',
  outputs: 'data/name.parquet',
  params: '${params.name}'
};

function rowFor(kind: Kind, choice: string, rows: readonly Row[], parameters: readonly string[] | null): Row {
  if (choice === '' || kind === 'outputs') {
    return { kind, name: '', value: '' };
  }
  return kind === 'inputs'
    ? inputFor(choice, rows, parameters)
    : { kind, name: choice, value: '${params.' + choice + '}' };
}

function AddRow(props: {
  context: Context;
  kind: Kind;
  choices: readonly string[];
  add: (choice: string) => void;
}): React.JSX.Element {
  const { kind, choices, add } = props;
  const { trans } = props.context;
  if (kind === 'outputs') {
    return (
      <button type="button" className="sb-Button" onClick={() => add('')}>
        {trans.__('Add an output')}
      </button>
    );
  }
  const isInput = kind === 'inputs';
  return (
    <select
      className="sb-Select"
      aria-label={isInput ? trans.__('Add an input') : trans.__('Add a parameter')}
      value="-"
      onChange={event => add(event.target.value)}
    >
      <option value="-" disabled>
        {isInput ? trans.__('Add an input …') : trans.__('Add a parameter …')}
      </option>
      {choices.map(choice => (
        <option key={choice} value={choice}>
          {isInput ? choice : trans.__('the parameter %1 of the pipeline', choice)}
        </option>
      ))}
      <option value="">{isInput ? trans.__('a file of the project') : trans.__('a value')}</option>
    </select>
  );
}
