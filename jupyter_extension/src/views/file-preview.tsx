/** The beginning of a file that a stage reads or writes. What is in it is shown as text or as a picture, never as markup. */

import * as React from 'react';

import type { Context } from './context';
import { useAnswer } from './hooks';
import { bytes } from '../model/format';
import { Ago } from './parts';
import type { FilePreview } from '../wire';

export function Preview(props: {
  context: Context;
  path: string;
  /** What changes when the file may have changed. */
  version: string;
}): React.JSX.Element {
  const { path, version } = props;
  const { store, trans } = props.context;
  const { planner } = store;
  const pipeline = store.pipeline?.key ?? '';
  const { value, error } = useAnswer(
    () => store.api.file(store.projectPath, pipeline, path, planner.draft),
    [store.projectPath, pipeline, path, version]
  );
  if (value === null) {
    return <p className="sb-Help">{error || trans.__('Reading …')}</p>;
  }
  return (
    <div className="sb-FilePreview">
      <p className="sb-Help">
        {value.modified !== null && (
          <>
            {bytes(value.size)}
            {value.total !== null && <>, {trans.__('%1 rows', value.total.toLocaleString('en-US'))}</>},{' '}
            {trans.__('written')} <Ago then={value.modified} />
          </>
        )}
        {value.note && <> {value.note}</>}
      </p>
      <Content context={props.context} path={path} file={value} />
    </div>
  );
}

function Content(props: { context: Context; path: string; file: FilePreview }): React.JSX.Element | null {
  const { path, file } = props;
  const { trans } = props.context;
  switch (file.kind) {
    case 'table':
      return <Table context={props.context} path={path} file={file} />;
    case 'image':
      // As a picture an SVG runs no script and loads nothing.
      return <img src={`data:${file.media};base64,${file.data}`} alt={trans.__('The picture %1', path)} />;
    case 'text':
    case 'json':
    case 'folder':
      return (
        <pre tabIndex={0} aria-label={trans.__('The beginning of %1', path)}>
          {file.text}
        </pre>
      );
    default:
      return null;
  }
}

function Table(props: { context: Context; path: string; file: FilePreview }): React.JSX.Element {
  const { columns, rows } = props.file;
  return (
    <div
      className="sb-FileTable"
      role="region"
      tabIndex={0}
      aria-label={props.context.trans.__('The first rows of %1', props.path)}
    >
      <table>
        <thead>
          <tr>
            {columns.map((column, at) => (
              <th key={at} scope="col" title={column.type} data-number={column.is_number}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={column} data-number={columns[column]?.is_number ?? false}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
