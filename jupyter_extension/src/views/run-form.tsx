/** The form for a run, a tab of the main area: parameters by their types, stages, options, and what the run would do. */

import { runIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { plural } from '../model/format';
import { EMPTY_DRAFT, isIncomplete, isUntouched, type RunDraft, type Scope } from '../model/run-request';
import { workloadText } from '../model/workload';
import { INTERVAL } from '../services/requests';
import type { Context } from './context';
import { useStore } from './hooks';
import { MainView } from './main-view';
import { ConnectionNote, PipelineSelect, Problems, RunLine } from './parts';
import { IntervalField, ParamField } from './run-fields';
import { RunPreview } from './run-preview';

export class RunFormView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-run-form', context.trans.__('Run with parameters'));
    this.addClass('sb-RunForm');
  }

  /** The form is open as long as the tab is there, in front or not. */
  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._context.store.planner.formOpened(true);
  }

  protected override onBeforeDetach(message: Message): void {
    this._context.store.planner.formOpened(false);
    super.onBeforeDetach(message);
  }

  protected override render(): React.JSX.Element {
    return <RunForm context={this._context} close={() => this.close()} />;
  }
}

/** Changes the draft, and draws at once. */
type Change = (patch: Partial<RunDraft>) => void;

function RunForm(props: { context: Context; close: () => void }): React.JSX.Element {
  const { context } = props;
  useStore(context);
  const [, redraw] = React.useReducer((count: number) => count + 1, 0);
  const { store, actions, trans } = context;
  const { pipeline, planner } = store;
  if (pipeline === null) {
    return <p className="sb-None">{trans.__('No pipeline is chosen.')}</p>;
  }
  // Drawn at once, not with the next frame: React sets a field back to its old value until it is drawn.
  const change: Change = patch => {
    planner.change(patch);
    redraw();
  };
  return (
    <form
      className="sb-Form"
      aria-label={trans.__('What to run')}
      noValidate
      onSubmit={event => {
        event.preventDefault();
        actions.runDraft();
      }}
    >
      <Head context={context} change={change} close={props.close} />
      <ConnectionNote context={context} />
      <Problems context={context} />
      <div className="sb-FormBody">
        <div>
          {pipeline.params.length > 0 && (
            <fieldset>
              <legend>{trans.__('Parameters')}</legend>
              {pipeline.params.map(param => (
                <ParamField
                  key={param.name}
                  context={context}
                  param={param}
                  set={text => {
                    planner.setText(param.name, text);
                    redraw();
                  }}
                />
              ))}
            </fieldset>
          )}
          {pipeline.takes_interval && (
            <fieldset>
              <legend>{trans.__('Interval')}</legend>
              <IntervalField context={context} set={interval => change({ interval })} />
            </fieldset>
          )}
          <Options context={context} change={change} />
        </div>
        <div>
          <StageChoice context={context} change={change} />
          <RunPreview context={context} />
        </div>
      </div>
    </form>
  );
}

/** What stays in sight: how much there is to do, and the button that starts it. */
function Head(props: { context: Context; change: Change; close: () => void }): React.JSX.Element {
  const { store, launcher, trans } = props.context;
  const { planner } = store;
  const { draft, preview } = planner;
  const wrong = Object.keys(planner.fields).length;
  const label = draft.sweep ? trans.__('Start the sweep') : trans.__('Start');
  return (
    <div className="sb-FormHead">
      <PipelineSelect context={props.context} />
      <button
        type="submit"
        className="sb-Button sb-Start"
        disabled={!launcher.canStart || isIncomplete(draft) || planner.previewProblem !== null}
      >
        <runIcon.react tag="span" className="sb-Icon" />
        {launcher.isStarting ? trans.__('Starting …') : label}
      </button>
      {wrong > 0 ? (
        <span className="sb-FieldError" role="status">
          {trans.__('%1 to correct', plural(wrong, INTERVAL in planner.fields ? 'field' : 'parameter'))}
        </span>
      ) : (
        <span className="sb-Workload">{preview?.workload ? workloadText(preview.workload) : ''}</span>
      )}
      <RunLine context={props.context} />
      <button
        type="button"
        className="sb-Button"
        disabled={isUntouched(draft)}
        title={trans.__('All parameters, stages and options as they are by default')}
        onClick={() => props.change(EMPTY_DRAFT)}
      >
        {trans.__('Set all back')}
      </button>
      <button type="button" className="sb-Button" onClick={props.close}>
        {trans.__('Close')}
      </button>
    </div>
  );
}

function StageChoice(props: { context: Context; change: Change }): React.JSX.Element {
  const { store, trans } = props.context;
  const { planner } = store;
  const { draft } = planner;
  return (
    <fieldset>
      <legend>{trans.__('Stages')}</legend>
      <select
        className="sb-Select"
        aria-label={trans.__('Which stages')}
        value={draft.scope}
        onChange={event => props.change({ scope: event.target.value as Scope })}
      >
        <option value="all">{trans.__('All stages')}</option>
        <option value="to">{trans.__('The chosen ones, and what they depend on')}</option>
        <option value="from">{trans.__('The chosen ones, and what depends on them')}</option>
        <option value="only">{trans.__('The chosen ones alone')}</option>
      </select>
      {draft.scope !== 'all' && (
        <p className="sb-Chosen">
          {draft.stages.length === 0
            ? trans.__('Choose stages in the list or in the graph: with Ctrl and a click, or the space bar.')
            : draft.stages.map(stage => (
                <button
                  key={stage}
                  type="button"
                  className="sb-Chip"
                  title={trans.__('Leave it out')}
                  onClick={() => planner.toggle(stage)}
                >
                  {stage} <span aria-hidden="true">×</span>
                </button>
              ))}
        </p>
      )}
    </fieldset>
  );
}

function Options(props: { context: Context; change: Change }): React.JSX.Element {
  const { store, trans } = props.context;
  const { draft } = store.planner;
  const options = [
    {
      key: 'sweep',
      flag: '--sweep',
      text: trans.__('A run for each of several values, such as [2, 4, 8]')
    },
    { key: 'force', flag: '--force', text: trans.__('Although nothing changed') },
    { key: 'keepGoing', flag: '--keep-going', text: trans.__('Go on after a failure') },
    { key: 'keepKernel', flag: '--keep-kernel', text: trans.__('Keep the kernel of a stage that fails') }
  ] as const;
  return (
    <fieldset>
      <legend>{trans.__('Options')}</legend>
      {options.map(({ key, flag, text }) => (
        <label key={key} className="sb-Option" title={flag}>
          <input
            type="checkbox"
            checked={draft[key]}
            onChange={event => props.change({ [key]: event.target.checked })}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}
