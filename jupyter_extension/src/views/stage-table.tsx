/** The stages of a pipeline as a table: where a graph has too many to be read. */

import * as React from 'react';

import type { Context } from './context';
import { ordered, type Column, type Order, stageRows, turned } from '../model/stage-rows';
import { Ago, Glyph } from './parts';

export function StageTable(props: {
  context: Context;
  /** The ids of the stages that a search found; null for all. */
  found: ReadonlySet<string> | null;
  selected: string | null;
  /** Show the details of what is selected. */
  open: () => void;
}): React.JSX.Element {
  const { found } = props;
  const { store, actions, trans } = props.context;
  const [order, setOrder] = React.useState<Order | null>(null);
  const views = store.views.filter(view => found === null || found.has(view.id));
  const columns: readonly (readonly [Column, string])[] = [
    ['id', trans.__('Stage')],
    ['state', trans.__('State')],
    ['when', trans.__('When')],
    ['seconds', trans.__('Took')],
    ['metric', trans.__('Metric')]
  ];
  return (
    <div className="sb-StageTable">
      <table aria-label={trans.__('Stages of %1', store.pipeline?.name ?? '')}>
        <thead>
          <tr>
            {columns.map(([column, label]) => (
              <th key={column} scope="col" aria-sort={sortOf(order, column)} data-column={column}>
                <button className="sb-Sort" onClick={() => setOrder(turned(order, column))}>
                  {label} <span aria-hidden="true">{arrowOf(order, column)}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {ordered(stageRows(views), order).map(row => (
            <tr
              key={row.id}
              className="sb-StageRow"
              data-state={row.state}
              aria-selected={row.id === props.selected}
              onClick={() => {
                store.select(row.id);
                props.open();
              }}
              onDoubleClick={() => actions.openNotebook(row.id)}
            >
              <th scope="row">
                <button className="sb-Link" title={row.id}>
                  {row.id}
                </button>
                {row.runs && <span className="sb-Help"> {row.runs}</span>}
              </th>
              <td title={row.why}>
                <Glyph state={row.state} /> {row.state}
                {row.why && <span className="sb-Help"> {row.why}</span>}
              </td>
              <td>{row.when !== null && <Ago then={row.when} />}</td>
              <td title={row.took}>{row.took}</td>
              <td title={row.metric}>{row.metric}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {views.length === 0 && <p className="sb-None">{trans.__('No stage has all of these words.')}</p>}
    </div>
  );
}

function sortOf(order: Order | null, column: Column): 'ascending' | 'descending' | 'none' {
  return order?.column !== column ? 'none' : order.isDown ? 'descending' : 'ascending';
}

function arrowOf(order: Order | null, column: Column): string {
  return { ascending: '▲', descending: '▼', none: '' }[sortOf(order, column)];
}
