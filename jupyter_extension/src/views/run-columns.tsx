/** The choice of the columns of the table of runs, and of which values of a metric are better. */

import * as React from 'react';

import { type Column, type Direction, directionOf, isShown, type TableChoice } from '../model/run-table';
import type { Context } from './context';
import { Popup } from './popup';

export function ColumnChoice(props: {
  context: Context;
  columns: readonly Column[];
  choice: TableChoice;
  choose: (choice: TableChoice) => void;
}): React.JSX.Element {
  const { columns, choice, choose } = props;
  const { trans } = props.context;
  const groups: [string, readonly Column[]][] = [
    [trans.__('Of the run'), columns.filter(one => ['status', 'took', 'by'].includes(one.kind))],
    [trans.__('Parameters'), columns.filter(one => one.kind === 'param')],
    [trans.__('Metrics'), columns.filter(one => one.kind === 'metric')]
  ];
  const hidden = columns.filter(one => !isShown(one, choice)).length;
  const label = hidden === 0 ? trans.__('Columns') : trans.__('Columns (%1 hidden)', hidden);
  return (
    <Popup label={label}>
      {groups
        .filter(([, some]) => some.length > 0)
        .map(([title, some]) => (
          <fieldset key={title}>
            <legend>{title}</legend>
            {some.map(column => (
              <div key={column.id} className="sb-ColumnLine">
                <label className="sb-Option">
                  <input
                    type="checkbox"
                    checked={isShown(column, choice)}
                    onChange={event =>
                      choose({ ...choice, shown: { ...choice.shown, [column.id]: event.target.checked } })
                    }
                  />
                  <span>{column.kind === 'metric' ? column.name : column.label}</span>
                </label>
                {column.kind === 'metric' && (
                  <DirectionSelect context={props.context} column={column} choice={choice} choose={choose} />
                )}
              </div>
            ))}
          </fieldset>
        ))}
    </Popup>
  );
}

function DirectionSelect(props: {
  context: Context;
  column: Column;
  choice: TableChoice;
  choose: (choice: TableChoice) => void;
}): React.JSX.Element {
  const { column, choice, choose } = props;
  const { trans } = props.context;
  return (
    <select
      className="sb-Select"
      aria-label={trans.__('Best value of %1', column.name)}
      value={directionOf(column, choice)}
      onChange={event =>
        choose({
          ...choice,
          directions: { ...choice.directions, [column.id]: event.target.value as Direction }
        })
      }
    >
      <option value="lower">{trans.__('lower is better')}</option>
      <option value="higher">{trans.__('higher is better')}</option>
      <option value="none">{trans.__('no best value')}</option>
    </select>
  );
}
