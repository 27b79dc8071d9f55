/** The inputs or the outputs of a stage: links to the files, each with a preview that unfolds below it. */

import * as React from 'react';

import type { Context } from './context';
import { filesOf, type StageFile } from '../model/files';
import { Breakable } from './parts';
import { Preview } from './file-preview';
import type { PlanStage, StageInfo } from '../wire';

export function StageFiles(props: {
  context: Context;
  planned: PlanStage;
  info: StageInfo | null;
  of: 'inputs' | 'outputs';
}): React.JSX.Element | null {
  const { context, planned, info, of } = props;
  const { trans } = context;
  const files = filesOf(planned[of]);
  if (files.length === 0) {
    return null;
  }
  const title = of === 'inputs' ? trans.__('Inputs') : trans.__('Outputs');
  return (
    <section>
      <h3>{title}</h3>
      <ul className="sb-Files" aria-label={title}>
        {files.map(file => (
          <li key={`${file.name} ${file.path}`}>
            <File
              context={context}
              file={file}
              version={`${info?.run} ${info?.ended} ${context.store.planner.planned}`}
            />
            {of === 'outputs' && <DataContract context={context} planned={planned} output={file.name} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function File(props: { context: Context; file: StageFile; version: string }): React.JSX.Element {
  const { context, file } = props;
  const { actions, trans } = context;
  const [isOpen, setOpen] = React.useState(false);
  if (!file.isInside) {
    return (
      <>
        <span className="sb-FileName">{file.name}</span> <Breakable text={file.path} />
      </>
    );
  }
  return (
    <>
      <button
        className="sb-Twist"
        aria-expanded={isOpen}
        aria-label={trans.__('Preview of %1', file.path)}
        title={trans.__('Preview')}
        onClick={() => setOpen(!isOpen)}
      >
        <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>
      </button>{' '}
      <span className="sb-FileName">{file.name}</span>{' '}
      <button className="sb-Link" onClick={() => actions.openFile(file.path)}>
        <Breakable text={file.path} />
      </button>
      {isOpen && <Preview context={context} path={file.path} version={props.version} />}
    </>
  );
}

const TABLE = /\.(parquet|pq|csv|tsv|jsonl|ndjson|duckdb)(\.gz)?$|\/[^./]*$/;

/** What must hold of an output: a link to the file that says it, or to a draft of one. */
function DataContract(props: {
  context: Context;
  planned: PlanStage;
  output: string;
}): React.JSX.Element | null {
  const { planned, output } = props;
  const { actions, trans } = props.context;
  const path = planned.contracts[output];
  if (path !== undefined) {
    return (
      <button className="sb-Link" onClick={() => actions.openPipelineFile(1, 1, path)}>
        {trans.__('contract')}
      </button>
    );
  }
  return TABLE.test(String(planned.outputs[output])) ? (
    <button
      className="sb-Link"
      title={trans.__('Propose what must hold of it, from what it holds now')}
      onClick={() => actions.draftContract(`${planned.stage}.${output}`)}
    >
      {trans.__('draft a contract')}
    </button>
  ) : null;
}
