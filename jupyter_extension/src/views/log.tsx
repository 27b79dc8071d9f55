/** What a stage printed, as it prints it. Always text: nothing in it is markup. */

import { Widget } from '@lumino/widgets';

import type { Api } from '../services/api';
import { stagebookIcon } from './icon';
import { bytes, plain } from '../model/format';

const EVERY = 700; // milliseconds between two looks while the stage runs
const MOST = 2_000_000; // characters that are shown; the earlier ones go

export interface LogOf {
  readonly project: string;
  readonly run: string;
  readonly stage: string;
  readonly attempt: number;
}

export class LogView extends Widget {
  constructor(
    private readonly _api: Api,
    readonly of: LogOf,
    private readonly _isRunning: () => boolean
  ) {
    super();
    this.id = `stagebook-log-${of.run}-${of.stage}-${of.attempt}`;
    this.title.label = `${of.stage}: log`;
    this.title.caption = `${of.stage}, attempt ${of.attempt}, ${of.run}`;
    this.title.icon = stagebookIcon;
    this.title.closable = true;
    this.addClass('sb-Log');
    this._status = document.createElement('p');
    this._status.className = 'sb-Detail';
    this._text = document.createElement('pre');
    this._text.tabIndex = 0;
    this._text.setAttribute('role', 'log');
    this._text.setAttribute('aria-label', this.title.caption);
    this.node.append(this._status, this._text);
  }

  /** A tab that is moved is attached again: what it shows goes on. */
  protected override onAfterAttach(): void {
    this._following ??= this._follow();
  }

  protected override onActivateRequest(): void {
    this._text.focus({ preventScroll: true });
  }

  private async _follow(): Promise<void> {
    for (;;) {
      const wasRunning = this._isRunning();
      let isMore = false;
      try {
        const { project, run, stage, attempt } = this.of;
        const reply = await this._api.log(project, run, stage, attempt, this._next);
        this._next = reply.next;
        isMore = reply.more;
        this._add(reply.text);
        this._say(
          wasRunning ? 'follows the stage as it prints' : this._length === 0 ? 'it printed nothing' : '',
          this._gone === 0 ? '' : `the first ${bytes(this._gone)} are not shown`
        );
      } catch (error) {
        this._say(error instanceof Error ? error.message : String(error));
      }
      if (this.isDisposed || (!wasRunning && !isMore)) {
        return;
      }
      if (!isMore) {
        await new Promise(resolve => setTimeout(resolve, EVERY));
      }
    }
  }

  private _add(text: string): void {
    if (text === '') {
      return;
    }
    const { scrollTop, scrollHeight, clientHeight } = this._text;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 40;
    const shown = plain(text);
    this._text.append(document.createTextNode(shown));
    this._length += shown.length;
    while (this._length > MOST && this._text.childNodes.length > 1) {
      const gone = this._text.firstChild?.textContent?.length ?? 0;
      this._length -= gone;
      this._gone += gone;
      this._text.firstChild?.remove();
    }
    if (isAtEnd) {
      this._text.scrollTop = this._text.scrollHeight;
    }
  }

  private _say(...texts: readonly string[]): void {
    this._status.textContent = texts.filter(Boolean).join(' · ');
  }

  private readonly _status: HTMLElement;
  private readonly _text: HTMLElement;
  private _next = 0;
  private _length = 0;
  private _gone = 0;
  private _following: Promise<void> | null = null;
}
