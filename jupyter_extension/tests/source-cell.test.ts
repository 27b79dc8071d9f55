import { describe, expect, it } from 'vitest';

import { type CellMark, failedCell, marksOfCells, sourceCell } from '../src/model/source-cell';

const cell = (id: string, source: string, isInjected = false): CellMark => ({ id, source, isInjected });
const EXECUTED = [cell('p', 'x = 1'), cell('i', 'x = 2', true), cell('a', 'one'), cell('b', 'two')];

describe('the cell that an executed one came from', () => {
  it('has its id, wherever it is now', () => {
    expect(sourceCell(EXECUTED, 3, [cell('b', 'changed'), cell('p', 'x = 1'), cell('a', 'two')])).toBe(0);
  });

  it('has its text where ids differ', () => {
    expect(sourceCell(EXECUTED, 3, [cell('1', 'two'), cell('2', 'one')])).toBe(0);
  });

  it('is at its place otherwise, without the cell that was put in', () => {
    expect(sourceCell(EXECUTED, 2, [cell('1', 'x'), cell('2', 'y'), cell('3', 'z')])).toBe(1);
    expect(sourceCell(EXECUTED, 3, [cell('1', 'x')])).toBe(0);
  });

  it('is the one before for parameters that were put in, and none in an empty notebook', () => {
    expect(sourceCell(EXECUTED, 1, [cell('a', 'one'), cell('p', 'x = 1')])).toBe(1);
    expect(sourceCell([cell('i', '', true)], 0, [cell('a', '')])).toBe(0);
    expect(sourceCell(EXECUTED, 0, [])).toBe(-1);
    expect(sourceCell(EXECUTED, 9, EXECUTED)).toBe(-1);
  });
});

describe('the cells of an executed notebook as it is in its file', () => {
  const cells = [
    { id: 'a', source: 'x = 1', metadata: {} },
    { source: 'x = 2', metadata: { tags: ['injected-parameters'] } },
    { id: 'b', source: '1 / 0', metadata: { papermill: { status: 'failed' } } }
  ];

  it('are told from each other by id, text and tag', () => {
    expect(marksOfCells(cells)).toEqual([cell('a', 'x = 1'), cell('', 'x = 2', true), cell('b', '1 / 0')]);
  });

  it('have the one that failed', () => {
    expect([failedCell(cells), failedCell(cells.slice(0, 2))]).toEqual([2, -1]);
  });
});
