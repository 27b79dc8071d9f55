/** Starting, resuming and cancelling runs of the open pipeline. */

import { isIncomplete, requestOf } from '../model/run-request';
import { isCancelling } from '../model/snapshot';
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

  /** Whether the run that goes on was asked to stop, from here or anywhere else. */
  get isCancelling(): boolean {
    const { liveRun, snapshot } = this._store;
    return liveRun !== undefined && (liveRun.id === this._asked || isCancelling(snapshot, liveRun));
  }

  /** Whether a run was started from here. It may end before it is known which one it is. */
  isOwn(run: RunInfo): boolean {
    const isJustStarted = this.isStarting && run.pipeline === this._store.pipeline?.name;
    return isJustStarted || this._own.has(run.id);
  }

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

  /** Ask the run that goes on to stop, unless it was asked already: asked twice, it would end at once. */
  async cancel(): Promise<void> {
    const { liveRun, projectPath } = this._store;
    if (liveRun === undefined || this.isCancelling) {
      return;
    }
    this._asked = liveRun.id;
    this._store.notify();
    try {
      await this._api.cancel(projectPath, liveRun.id);
    } catch (error) {
      this._asked = '';
      this._store.notify();
      throw error;
    }
  }

  /** End the run that was asked to stop at once. */
  async kill(): Promise<void> {
    const { liveRun, projectPath } = this._store;
    if (liveRun !== undefined && this.isCancelling) {
      await this._api.cancel(projectPath, liveRun.id);
    }
  }

  private async _wait(begin: (project: string) => Promise<ProcessReply>): Promise<string> {
    this.isStarting = true;
    this._store.notify();
    try {
      const run = await runOf(this._api, this._store.projectPath, begin);
      this._own.add(run);
      return run;
    } finally {
      this.isStarting = false;
      this._store.notify();
    }
  }

  /** The run that was asked to stop from here. */
  private _asked = '';
  private readonly _own = new Set<string>();
}
