/** Moments as people read them: in the time zone of the browser, or in another one. */

/** A moment with its time zone: `Mon, 1 Dec 2026, 06:00 CET`; by default in that of the browser. */
export function moment(at: number, zone?: string): string {
  return format(at, zone, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short'
  });
}

/** The time of day of a moment in a time zone, with the zone: `05:00 UTC`; with the day where that is another one there. */
export function timeIn(at: number, zone: string): string {
  const sameDay = format(at, zone, DAY) === format(at, undefined, DAY);
  const time = { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  return format(at, zone, sameDay ? time : { ...DAY, ...time });
}

/** A short label of a moment: `1 Dec, 06:00`. */
export function short(at: number, zone?: string): string {
  return format(at, zone, { ...DAY, hour: '2-digit', minute: '2-digit' });
}

/** The day of a moment: `1 Dec`. */
export function day(at: number): string {
  return format(at, undefined, DAY);
}

/** How long it is until a moment: `now`, `in 40 s`, `in 5 min`, `in 3 h 20 min`, `in 4 d`. */
export function until(at: number, now: number): string {
  const seconds = Math.round(at - now);
  if (seconds <= 0) {
    return 'now';
  }
  if (seconds < 90) {
    return `in ${seconds} s`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) {
    return `in ${minutes} min`;
  }
  if (minutes < 48 * 60) {
    const rest = minutes % 60;
    return `in ${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`;
  }
  return `in ${Math.round(minutes / (24 * 60))} d`;
}

/** Whether clocks show the same in a time zone as in that of the browser, at a moment. */
export function isHere(at: number, zone: string): boolean {
  const all = { dateStyle: 'short', timeStyle: 'medium' } as const;
  return format(at, zone, all) === format(at, undefined, all);
}

const DAY = { day: 'numeric', month: 'short' } as const;

function format(at: number, zone: string | undefined, how: Intl.DateTimeFormatOptions): string {
  const date = new Date(at * 1000);
  const locale = 'en-GB'; // 24 hours, and the day before the month, as the texts around it are English
  try {
    return new Intl.DateTimeFormat(locale, { ...how, timeZone: zone }).format(date);
  } catch {
    return new Intl.DateTimeFormat(locale, { ...how, timeZone: 'UTC' }).format(date); // no zone that the browser knows
  }
}
