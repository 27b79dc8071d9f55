// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type StageStatus =
  | 'pending'
  | 'running'
  | 'retrying'
  | 'completed'
  | 'reused'
  | 'failed'
  | 'blocked'
  | 'skipped'
  | 'cancelled'
  | 'interrupted';

export type CellChange = 'same' | 'changed' | 'added' | 'removed';

export type NoteKind = 'note' | 'acknowledged';

/**
 * A run. `ended` is null while it goes on. `pid` and `host` are of the process
 * that runs it. `kind` is `run`, `sweep`, `accept` or `bookmark`; `parent` is
 * the sweep that it is a point of. Where a program asked for it on behalf of
 * `user`, `via` is the program and `account` the user that the process belongs
 * to. `cancelling`: it goes on, and was asked to stop; told of what is current
 * alone.
 */
export interface RunInfo {
  readonly id: string;
  readonly pipeline: string;
  readonly status: StageStatus;
  readonly reason: string;
  readonly started: number;
  readonly ended: number | null;
  readonly params: Readonly<Record<string, unknown>>;
  readonly user: string;
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  readonly commit: string;
  readonly kind: string;
  readonly parent: string;
  readonly via: string;
  readonly account: string;
  readonly cancelling: boolean;
}

/**
 * A check of a contract that does not hold, as a `line` of text, and some
 * `rows` that break it, a line each.
 */
export interface BrokenCheck {
  readonly line: string;
  readonly rows: readonly string[];
}

/**
 * A stage instance of a run, up to now. `cell` of `cells` is the one that runs
 * or that failed. `expected` and `cpu` are in seconds, `memory` is the peak in
 * bytes, `frozen` the seconds for which the process has been stopped. `of_run`
 * is the run whose result was reused; among what is current, times and memory
 * of a reused stage are those of the attempt that made the result. `checks`
 * are those of contracts that do not hold, and `findings` the same in a few
 * words: empty where all hold. `metrics` are the numbers that it glued, in
 * their order, of many the first ones.
 */
export interface StageInfo {
  readonly id: string;
  readonly run: string;
  readonly pipeline: string;
  readonly status: StageStatus;
  readonly decision: string;
  readonly reason: string;
  readonly attempt: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly cell: number;
  readonly cells: number;
  readonly expected: number | null;
  readonly cause: string;
  readonly message: string;
  readonly traceback: string;
  readonly cpu: number;
  readonly memory: number;
  readonly frozen: number;
  readonly has_notebook: boolean;
  readonly kept_kernel: boolean;
  readonly of_run: string;
  readonly checks: readonly BrokenCheck[];
  readonly findings: string;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/**
 * What changed since an event, or all that is current if `full`. `seq` is the
 * number of the last event in it. `runs` are the latest ones of each pipeline,
 * without points of sweeps, and those that go on. `stages` has the last
 * outcome of each stage that changed; `shapes` for each pipeline whose list of
 * stages changed the ids of all stages of its newest run, in order.
 * `definitions` changes with the pipeline files and the notebooks that they
 * name, `elsewhere` has for each environment what changes with its journal.
 */
export interface Change {
  readonly seq: number;
  readonly full: boolean;
  readonly runs: readonly RunInfo[];
  readonly stages: readonly StageInfo[];
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  readonly definitions: string;
  readonly elsewhere: Readonly<Record<string, string>>;
}

/**
 * What a run came to: the numbers that its stages left, as `stage.name`; how
 * many stage instances have which status; and the stages whose results it took
 * from earlier runs.
 */
export interface RunResult {
  readonly metrics: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly reused: readonly string[];
}

/**
 * Runs, the newest first, and the results of each. `more` says that there are
 * older ones, and `older` how many; of more than `most` none are told at once.
 * Of each sweep the latest points are among them; `points` says how many it
 * has.
 */
export interface RunsReply {
  readonly runs: readonly RunInfo[];
  readonly results: Readonly<Record<string, RunResult>>;
  readonly more: boolean;
  readonly older: number;
  readonly most: number;
  readonly points: Readonly<Record<string, number>>;
}

/**
 * A note of a person on a run. `at` is when, `by` who.
 */
export interface Note {
  readonly kind: NoteKind;
  readonly text: string;
  readonly by: string;
  readonly at: number;
}

/**
 * What is wrong with a `subject` (a stage or an output; empty for the run as a
 * whole) since a run opened it. `closed` is null while it goes on; `runs` says
 * in how many runs it was seen, `seen_by` who acknowledged it.
 */
export interface IncidentInfo {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly message: string;
  readonly opened: number;
  readonly closed: number | null;
  readonly runs: number;
  readonly seen_by: readonly string[];
}

/**
 * An attempt of a stage; `ended` is null while it goes on. `cause` and
 * `message` say why it failed; they are empty where it did not.
 */
export interface AttemptInfo {
  readonly attempt: number;
  readonly started: number;
  readonly ended: number | null;
  readonly cause: string;
  readonly message: string;
}

/**
 * A run with its stages. `seq` is the number of its last event. `upstream` has
 * the stages before each stage, `attempts` the attempts of each stage that
 * began, `metrics` the numbers that stages glued, as `stage.name`; `points`
 * are the runs of a sweep; `incidents` those that it opened or closed, or was
 * the last to be seen in.
 */
export interface RunReply {
  readonly run: RunInfo;
  readonly stages: readonly StageInfo[];
  readonly seq: number;
  readonly upstream: Readonly<Record<string, readonly string[]>>;
  readonly attempts: Readonly<Record<string, readonly AttemptInfo[]>>;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly points: readonly RunInfo[];
  readonly notes: readonly Note[];
  readonly incidents: readonly IncidentInfo[];
}

/**
 * A parameter, a metric or a time with its value in each run; null where a run
 * has none.
 */
export interface CompareRow {
  readonly name: string;
  readonly values: readonly unknown[];
  readonly differs: boolean;
}

/**
 * Runs side by side: their parameters, the numbers and the statuses of their
 * stages, and for how many seconds these ran.
 */
export interface CompareReply {
  readonly runs: readonly RunInfo[];
  readonly params: readonly CompareRow[];
  readonly metrics: readonly CompareRow[];
  readonly states: readonly CompareRow[];
  readonly seconds: readonly CompareRow[];
}

/**
 * A cell as it ran and as it is now. `before` and `now` are its places among
 * all cells, from 1; null where the cell is not there. `number` is what
 * `stagebook why` and a notebook that is run by hand call a code cell,
 * `executed` what the executed notebook shows beside it, where the parameters
 * that were put in count as well.
 */
export interface CellDiff {
  readonly change: CellChange;
  readonly kind: string;
  readonly before: number | null;
  readonly now: number | null;
  readonly lines: readonly string[];
  readonly number: number | null;
  readonly executed: number | null;
}

/**
 * What a stage ran (the file `executed`), compared with its `notebook` as it
 * is now.
 */
export interface ChangesReply {
  readonly run: string;
  readonly attempt: number;
  readonly executed: string;
  readonly notebook: string;
  readonly cells: readonly CellDiff[];
}

/**
 * An event with its number; its fields are documented in
 * docs/reference/events.md.
 */
export interface EventItem {
  readonly seq: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/**
 * The events of a run after a number; `more` says that there are further ones.
 */
export interface EventsReply {
  readonly events: readonly EventItem[];
  readonly more: boolean;
}

/**
 * A piece of what a stage printed, to be shown as text, never as markup.
 * `next` is the byte to go on from, `size` how many there are by now; `more`
 * says that further text is there already.
 */
export interface LogReply {
  readonly attempt: number;
  readonly text: string;
  readonly next: number;
  readonly size: number;
  readonly more: boolean;
}

/**
 * The executed notebook of an attempt, untrusted. `modified` is when it was
 * saved last; `content` is null where the browser has this version already.
 */
export interface NotebookReply {
  readonly attempt: number;
  readonly content: unknown;
  readonly modified: number;
}

/**
 * A figure of a run, and as a person reads it.
 */
export interface MonitorPoint {
  readonly run: string;
  readonly at: number;
  readonly value: number;
  readonly text: string;
}

/**
 * A figure of a stage over the runs, the earliest first; `name` says which.
 * `low` and `high` are what was usual for the last one, `usual` says it in
 * words; null and empty where the earlier runs are too few.
 */
export interface MonitorSeries {
  readonly name: string;
  readonly points: readonly MonitorPoint[];
  readonly low: number | null;
  readonly high: number | null;
  readonly usual: string;
  readonly unusual: boolean;
}

/**
 * The figures of a stage: its duration, the rows and bytes of its outputs, and
 * what is unusual.
 */
export interface MonitorsReply {
  readonly series: readonly MonitorSeries[];
}
