/** The lines that a stage printed: their levels, which of them are shown, and where a text is found. */

export type Level = 'error' | 'warning' | 'info' | 'other';

/** The lines that are shown: all, or those of a level and the more serious ones. */
export type LevelFilter = 'all' | 'info' | 'warning' | 'error';

const SHOWN: Readonly<Record<LevelFilter, readonly Level[]>> = {
  all: ['error', 'warning', 'info', 'other'],
  info: ['error', 'warning', 'info'],
  warning: ['error', 'warning'],
  error: ['error']
};
const HEAD = 120; // characters of a line in which its level is looked for
const LONGEST = 2_000; // characters of a line that is drawn as one
const KEPT = 0.75; // of the most characters, once there are more

// `ERROR:root:…`, `2026-11-30 12:00:00 - app - ERROR - …`, `[E 2026-…]`, `ValueError: …`, `UserWarning: …`.
const LEVELS: readonly (readonly [Level, RegExp])[] = [
  [
    'error',
    /\b(CRITICAL|FATAL|ERROR)\b|^\[[CE] |^Traceback \(most recent call last\)|^[\w.]*(Error|Exception|KeyboardInterrupt)\b(:|$)/
  ],
  ['warning', /\b(WARNING|WARN)\b|^\[W |\b\w*Warning:/],
  ['info', /\bINFO\b|^\[I /]
];

/** The level of a line. What is indented belongs to the line before it, as in a traceback. */
export function levelOf(line: string, before: Level): Level {
  if (/^\s+\S/.test(line)) {
    return before;
  }
  const head = line.slice(0, HEAD);
  return LEVELS.find(([, pattern]) => pattern.test(head))?.[0] ?? 'other';
}

/** A text that grows at its end. Of more than `most` characters, or so many lines, the first ones go. */
export class LogText {
  constructor(
    private readonly _most: number,
    private readonly _mostLines = Infinity
  ) {}

  /** How many characters at the beginning went. */
  gone = 0;
  /** How many characters there are. */
  length = 0;
  readonly lines: string[] = [];
  readonly counts: Record<Level, number> = { error: 0, warning: 0, info: 0, other: 0 };

  /** The numbers of the lines that are shown. */
  get shown(): readonly number[] {
    return this._shown;
  }

  /** The places among the lines that are shown of those with the text that is looked for. */
  get found(): readonly number[] {
    return this._found;
  }

  add(text: string): void {
    if (text === '') {
      return;
    }
    const parts = text.split('\n');
    // A line that was not complete goes on.
    const open = this._isOpen ? this._takeLast() : '';
    parts[0] = open + (parts[0] ?? '');
    const last = parts.pop() ?? '';
    parts.forEach(line => this._addLine(line));
    this._isOpen = last !== '';
    if (this._isOpen) {
      this._addLine(last);
    }
    this.length += text.length;
    if (this.length > this._most || this.lines.length > this._mostLines) {
      this._cut();
    }
  }

  /** Show the lines of these levels, and find those that have a text, in whatever case. */
  look(filter: LevelFilter, text: string): void {
    this._filter = filter;
    this._pattern = text === '' ? null : patternOf(text);
    this._again();
  }

  levelAt(line: number): Level {
    return this._levels[line] ?? 'other';
  }

  private _addLine(whole: string): void {
    // A carriage return begins the line anew, as a bar of progress does.
    const line = whole.slice(whole.lastIndexOf('\r', whole.length - 2) + 1);
    const level = levelOf(line, this._levels[this._levels.length - 1] ?? 'other');
    // A very long line is drawn as several.
    for (let at = 0; at === 0 || at < line.length; at += LONGEST) {
      this.lines.push(line.slice(at, at + LONGEST));
      this._levels.push(level);
      this.counts[level] += 1;
      this._lookAt(this.lines.length - 1);
    }
    this._pieces = Math.max(1, Math.ceil(line.length / LONGEST));
  }

  /** Take back the last line, with all pieces that it is drawn as. */
  private _takeLast(): string {
    const pieces: string[] = [];
    for (let at = 0; at < this._pieces; at += 1) {
      pieces.unshift(this.lines.pop() ?? '');
      this.counts[this._levels.pop() ?? 'other'] -= 1;
    }
    while ((this._shown[this._shown.length - 1] ?? -1) >= this.lines.length) {
      this._shown.pop();
    }
    while ((this._found[this._found.length - 1] ?? -1) >= this._shown.length) {
      this._found.pop();
    }
    return pieces.join('');
  }

  private _lookAt(at: number): void {
    if (!SHOWN[this._filter].includes(this.levelAt(at))) {
      return;
    }
    if (this._pattern?.test(this.lines[at] ?? '')) {
      this._found.push(this._shown.length);
    }
    this._shown.push(at);
  }

  private _again(): void {
    this._shown.length = 0;
    this._found.length = 0;
    this.lines.forEach((_, at) => this._lookAt(at));
  }

  private _cut(): void {
    let count = 0;
    const before = this.length;
    const lines = Math.max(1, this.lines.length - Math.floor(this._mostLines * KEPT));
    while ((this.length > this._most * KEPT || count < lines) && count < this.lines.length - 1) {
      this.length -= (this.lines[count]?.length ?? 0) + 1;
      this.counts[this.levelAt(count)] -= 1;
      count += 1;
    }
    this.gone += before - this.length;
    this.lines.splice(0, count);
    this._levels.splice(0, count);
    this._again();
  }

  private readonly _levels: Level[] = [];
  private readonly _shown: number[] = [];
  private readonly _found: number[] = [];
  private _filter: LevelFilter = 'all';
  private _pattern: RegExp | null = null;
  private _isOpen = false;
  private _pieces = 1;
}

function patternOf(text: string): RegExp {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
}

/** A line in parts, every second of which is the text that is looked for. */
export function marked(line: string, text: string): string[] {
  if (text === '') {
    return [line];
  }
  return line.split(new RegExp(`(${patternOf(text).source})`, 'i'));
}

/** The place after one, or before it, among so many: after the last one comes the first one. */
export function stepped(at: number, step: number, count: number): number {
  return count === 0 ? 0 : (at + step + count) % count;
}

/** Which lines are in sight, and some around them: from one on, up to another one. */
export function windowOf(
  top: number,
  height: number,
  lineHeight: number,
  count: number
): readonly [number, number] {
  const first = Math.max(0, Math.floor(top / lineHeight) - AROUND);
  return [first, Math.min(count, Math.ceil((top + height) / lineHeight) + AROUND)];
}

const AROUND = 20; // lines
