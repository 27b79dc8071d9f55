/** Values for tests. */

import type { Defined } from '../src/model/stage-state';
import type { PlanStage, RunInfo, StageInfo } from '../src/wire';

/** What is known of the pipeline of all these values before there is a plan. */
export const P: Defined = {
  name: 'p',
  stages: [{ name: 'a', notebook: 'notebooks/a.ipynb', line: 1, column: 1, program: '', target: '' }]
};

export function run(fields: Partial<RunInfo> = {}): RunInfo {
  return {
    id: 'r1',
    pipeline: 'p',
    status: 'running',
    reason: '',
    started: 100,
    ended: null,
    params: {},
    user: 'me',
    host: 'here',
    pid: 1,
    command: 'stagebook run p',
    commit: '',
    kind: 'run',
    parent: '',
    via: '',
    account: '',
    cancelling: false,
    ...fields
  };
}

export function info(fields: Partial<StageInfo> = {}): StageInfo {
  return {
    id: 'a',
    run: 'r1',
    pipeline: 'p',
    status: 'pending',
    decision: 'RUN',
    reason: '',
    attempt: 0,
    started: null,
    ended: null,
    cell: 0,
    cells: 0,
    expected: null,
    cause: '',
    message: '',
    traceback: '',
    cpu: 0,
    memory: 0,
    frozen: 0,
    has_notebook: false,
    kept_kernel: false,
    checks: [],
    findings: '',
    metrics: {},
    of_run: '',
    ...fields
  };
}

export function planned(id: string, fields: Partial<PlanStage> = {}): PlanStage {
  const { decision = 'RUN', restores = [], reasons = [] } = fields;
  const words = {
    RUN: reasons.length === 0 ? 'would run' : reasons.includes('no result yet') ? 'new' : 'stale',
    REUSE: restores.length > 0 ? 'restores' : 'up to date',
    AUDIT: 'audits again',
    WAIT: 'waits',
    SKIP: 'skipped'
  } as const;
  return {
    id,
    stage: id.split('@')[0] ?? id,
    notebook: `notebooks/${id}.ipynb`,
    description: '',
    decision,
    next_run: words[decision],
    reasons: [],
    upstream: [],
    point: {},
    params: {},
    inputs: {},
    outputs: {},
    restores: [],
    when: '',
    foreach: '',
    trigger: 'all_success',
    on_disk: '',
    program: '',
    target: '',
    ...fields
  };
}
