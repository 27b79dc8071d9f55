/** The run that the form describes: parameters as they were typed, the stages, and the options. */

import type { RunRequest } from '../wire';

export type Scope = 'all' | 'to' | 'from' | 'only';

export interface RunDraft {
  /** Parameters that differ from their defaults, as `-p` takes them. */
  readonly texts: Readonly<Record<string, string>>;
  readonly scope: Scope;
  /** The stages that were chosen, for every `scope` but `all`. */
  readonly stages: readonly string[];
  readonly force: boolean;
  readonly keepGoing: boolean;
  readonly keepKernel: boolean;
  readonly sweep: boolean;
  /** What the run is about; empty for the latest complete interval. */
  readonly interval: string;
}

/** All stages with the defaults. */
export const EMPTY_DRAFT: RunDraft = {
  texts: {},
  scope: 'all',
  stages: [],
  force: false,
  keepGoing: false,
  keepKernel: false,
  sweep: false,
  interval: ''
};

/** The stages in the terms of the server; none for a run of all. */
function selection(draft: RunDraft): Pick<RunRequest, 'stages' | 'start' | 'only'> {
  switch (draft.scope) {
    case 'to':
      return { stages: draft.stages };
    case 'from':
      return { start: draft.stages };
    case 'only':
      return { only: draft.stages };
    default:
      return {};
  }
}

/** The request that starts the run. */
export function requestOf(draft: RunDraft): Omit<RunRequest, 'pipeline' | 'project'> {
  return {
    ...selection(draft),
    texts: draft.texts,
    force: draft.force,
    keep_going: draft.keepGoing,
    keep_kernel: draft.keepKernel,
    sweep: draft.sweep,
    interval: draft.interval
  };
}

/** The query that plans the run. */
export function queryOf(draft: RunDraft): [string, string][] {
  const { stages = [], start = [], only = [] } = selection(draft);
  return [
    ...Object.entries(draft.texts).map(([name, text]): [string, string] => ['param', `${name}=${text}`]),
    ...stages.map((name): [string, string] => ['stage', name]),
    ...start.map((name): [string, string] => ['start', name]),
    ...only.map((name): [string, string] => ['only', name]),
    ...(draft.force ? [['force', '1'] as [string, string]] : []),
    ...(draft.sweep ? [['sweep', '1'] as [string, string]] : []),
    ...(draft.interval ? [['interval', draft.interval] as [string, string]] : [])
  ];
}

/** Whether stages have to be chosen, and none is. */
export function isIncomplete(draft: RunDraft): boolean {
  return draft.scope !== 'all' && draft.stages.length === 0;
}

/** The draft with a stage chosen, or left out where it was chosen. */
export function toggled(draft: RunDraft, stage: string): RunDraft {
  const without = draft.stages.filter(name => name !== stage);
  const stages = without.length === draft.stages.length ? [...without, stage] : without;
  const scope = draft.scope === 'all' ? 'to' : draft.scope;
  return { ...draft, stages, scope: stages.length === 0 ? 'all' : scope };
}

/** Whether nothing of a draft is another than by default. */
export function isUntouched(draft: RunDraft): boolean {
  const { texts, stages, ...others } = draft;
  const plain = Object.entries(others).every(([key, value]) => value === EMPTY_DRAFT[key as keyof RunDraft]);
  return plain && stages.length === 0 && Object.keys(texts).length === 0;
}
