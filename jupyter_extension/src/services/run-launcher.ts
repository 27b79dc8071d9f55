/** Starting, resuming and cancelling runs of the open pipeline. */

import { isIncomplete, requestOf } from '../model/run-request';
import type { ProcessReply, RunInfo, RunRequest } from '../wire';
import type { Api } from './api';
import { runOf } from './requests';
import type { Store } from './store';

const RESUMABLE: ReadonlySet<string> = new Set(['failed', 'cancelled', 'interrupted']);

export class RunLauncher {
  constructor(
    private readonly _api: Api,
    private readonly _store: Store
  ) {}

  /** Whether a run was asked for that the journal does not have yet. */
  isStarting = false;

  /** Whether no run of the pipeline goes on or starts. */
  get isIdle(): boolean {
    return this._store.liveRun === undefined && !this.isStarting;
  }

  /** Whether a run can be started with the parameters as they are. */
  get canStart(): boolean {
    const { pipeline, planner } = this._store;
    return pipeline !== null && this.isIdle && planner.problem === null && !planner.hasMistakes;
  }

  /** The last run, where it left something to do. */
  get resumable(): RunInfo | undefined {
    const run = this._store.latestRun;
    return run !== undefined && RESUMABLE.has(run.status) ? run : undefined;
  }

  /**
   * Start a run, and wait until the journal has it: its id.
   *
   * Rejects with a `Refusal` where it cannot be started.
   */
  async start(request: Omit<RunRequest, 'pipeline' | 'project'>): Promise<string> {
    const { pipeline } = this._store;
    if (pipeline === null) {
      throw new Error('no pipeline is chosen');
    }
    return this._wait(project => this._api.start({ ...request, project, pipeline: pipeline.key }));
  }

  /** Start the run that the form describes. As `start`. */
  async startDraft(): Promise<string> {
    const { draft } = this._store.planner;
    if (isIncomplete(draft)) {
      throw new Error('no stage is chosen');
    }
    return this.start(requestOf(draft));
  }

  /** Do what is left of a run, by default of the last one; `failedOnly` as `stagebook retry`. */
  async resume(failedOnly = false, run = this.resumable?.id): Promise<string> {
    if (run === undefined) {
      throw new Error('no run is left to be resumed');
    }
    return this._wait(project => this._api.resume(run, { project, failed_only: failedOnly }));
  }

  /** Ask the run that goes on to stop; asked again, it ends at once. */
  async cancel(): Promise<void> {
    const { liveRun, projectPath } = this._store;
    if (liveRun !== undefined) {
      await this._api.cancel(projectPath, liveRun.id);
    }
  }

  private async _wait(begin: (project: string) => Promise<ProcessReply>): Promise<string> {
    this.isStarting = true;
    this._store.notify();
    try {
      return await runOf(this._api, this._store.projectPath, begin);
    } finally {
      this.isStarting = false;
      this._store.notify();
    }
  }
}
