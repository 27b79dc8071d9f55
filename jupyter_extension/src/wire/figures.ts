// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type FigureDirection = 'up' | 'down' | 'same' | '';

export type FigureVerdict = 'better' | 'worse' | '';

/**
 * The value of a figure in a week, and the same in words; null where there is
 * nothing that it could stand on.
 */
export interface FigurePoint {
  readonly start: number;
  readonly end: number;
  readonly value: number | null;
  readonly text: string;
}

/**
 * A figure of a window. `text` and `before` are its value and that of the
 * window before, with the unit, as `stagebook metrics` prints them; they are
 * empty where it stands on nothing. `direction` says which way it went, and is
 * empty where nobody knows; `verdict` whether that is the right way, where one
 * is. `parts`: what it is made of; `why_left_out` is empty where nothing was.
 */
export interface FigureInfo {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  readonly before: string;
  readonly direction: FigureDirection;
  readonly verdict: FigureVerdict;
  readonly stands_on: string;
  readonly parts: string;
  readonly formula: string;
  readonly sources: string;
  readonly why_left_out: string;
  readonly points: readonly FigurePoint[];
}

/**
 * A question, and the figures that answer it.
 */
export interface FigureGroup {
  readonly title: string;
  readonly figures: readonly FigureInfo[];
}

/**
 * The quality score of a column, in words.
 */
export interface ColumnScore {
  readonly name: string;
  readonly text: string;
}

/**
 * The quality score of a dataset, in words. `columns`: those that are not
 * perfect, the worst first, without the `more` ones that are better; `perfect`
 * ones are those in which no check found anything.
 */
export interface DatasetScore {
  readonly dataset: string;
  readonly text: string;
  readonly rows: number;
  readonly columns: readonly ColumnScore[];
  readonly more: number;
  readonly perfect: number;
}

/**
 * The figures of a pipeline over the window from `start` to `end`, beside the
 * one of equal length before. `nothing` says why there are none, and is empty
 * where there are.
 */
export interface FiguresReply {
  readonly pipeline: string;
  readonly environment: string;
  readonly environments: readonly string[];
  readonly days: number;
  readonly start: number;
  readonly end: number;
  readonly groups: readonly FigureGroup[];
  readonly datasets: readonly DatasetScore[];
  readonly nothing: string;
}
