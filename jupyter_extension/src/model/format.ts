/** Numbers and times as people read them. */

const HOURS = 72; // from which on a duration is told in days

/** `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `31 d 04 h`, as in a terminal. */
export function duration(seconds: number): string {
  if (seconds < 9.95) {
    return `${Math.max(0, seconds).toFixed(1)} s`;
  }
  if (seconds < 59.5) {
    return `${Math.round(seconds)} s`;
  }
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < HOURS) {
    return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  }
  return `${Math.floor(hours / 24)} d ${String(hours % 24).padStart(2, '0')} h`;
}

/** A mark of an axis of time: `0`, `0.5 s`, `20 s`, `1:30 min`, `2 h`. */
export function mark(seconds: number): string {
  if (seconds < 60) {
    return seconds === 0 ? '0' : `${seconds} s`;
  }
  const [unit, word] = seconds < 3600 ? [60, 'min'] : [3600, 'h'];
  const rest = Math.round((seconds % unit) / (unit / 60));
  const whole = Math.floor(seconds / unit);
  return `${rest === 0 ? whole : `${whole}:${String(rest).padStart(2, '0')}`} ${word}`;
}

/** `just now`, `5 min ago`, `3 h ago`, and after a day the date, as in a terminal; in the time zone of the browser, or another one. */
export function ago(then: number, now: number, zone?: string): string {
  const seconds = now - then;
  if (seconds < 60) {
    return 'just now';
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ago`;
  }
  if (seconds < DAY) {
    return `${Math.floor(seconds / 3600)} h ago`;
  }
  return new Date(then * 1000).toLocaleDateString('sv', { timeZone: zone }); // 2026-01-31
}

const DAY = 86_400; // seconds

/** `1 stage`, `3 stages`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** `12.3 MB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

/** A value as a person writes it. */
export function value(of: unknown): string {
  if (typeof of === 'number' && !Number.isInteger(of)) {
    return String(Number(of.toPrecision(6)));
  }
  return typeof of === 'string' ? of : JSON.stringify(of);
}

/** A value of a table: numbers with separators and at most five digits that count, other values as `value` has them. */
export function figure(of: unknown): string {
  if (typeof of !== 'number') {
    return value(of);
  }
  const size = Math.abs(of);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) {
    return of.toExponential(3);
  }
  return Number.isInteger(of) || size >= 1e5 ? WHOLE.format(of) : DIGITS.format(of);
}

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const DIGITS = new Intl.NumberFormat('en', { maximumSignificantDigits: 5 });

/** Text without the colours of a terminal. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '');
}
