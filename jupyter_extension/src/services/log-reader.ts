/** Reads what a stage printed, and goes on while it runs. */

import { type ISignal, Signal } from '@lumino/signaling';

import { plain } from '../model/format';
import { LogText } from '../model/log-text';
import type { Api } from './api';

const EVERY = 700; // milliseconds between two looks while the stage runs
const MOST = 16_000_000; // characters that are kept; the earlier ones go
const MOST_LINES = 600_000;

export interface LogOf {
  readonly project: string;
  readonly run: string;
  readonly stage: string;
  readonly attempt: number;
}

export class LogReader {
  constructor(
    private readonly _api: Api,
    readonly of: LogOf,
    private readonly _isRunning: () => boolean
  ) {}

  readonly text = new LogText(MOST, MOST_LINES);
  /** Whether more is read, or may come. */
  isReading = true;
  isFollowing = false;
  error = '';
  /** How many bytes at the beginning were passed over, as the log is a long one. */
  passed = 0;

  /** Emitted when there is more. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Begin to read; again does nothing. */
  start(): void {
    this._reading ??= this._read();
  }

  stop(): void {
    this._isStopped = true;
  }

  private async _read(): Promise<void> {
    while (this.isReading && !this._isStopped) {
      const wasRunning = this._isRunning();
      let isMore = false;
      try {
        isMore = await this._next();
        this.error = '';
      } catch (error) {
        this.error = error instanceof Error ? error.message : String(error);
      }
      this.isReading = wasRunning || isMore;
      this.isFollowing = wasRunning;
      this._changed.emit();
      if (this.isReading && !isMore) {
        await new Promise(resolve => setTimeout(resolve, EVERY));
      }
    }
  }

  /** Read the next piece; whether there is another one already. */
  private async _next(): Promise<boolean> {
    const { project, run, stage, attempt } = this.of;
    const reply = await this._api.log(project, run, stage, attempt, this._at);
    if (reply.size - this._at > MOST) {
      this._at = this.passed = reply.size - Math.floor(MOST / 2);
      this._isWithinLine = true;
      return true;
    }
    this._at = reply.next;
    let text = plain(reply.text);
    if (this._isWithinLine) {
      const end = text.indexOf('\n');
      text = text.slice(end + 1);
      this._isWithinLine = end < 0;
    }
    this.text.add(text);
    return reply.more;
  }

  private _at = 0;
  private _isWithinLine = false;
  private _isStopped = false;
  private _reading: Promise<void> | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
