/** How much a run would do, in words. */

import type { Workload } from '../wire';
import { duration, plural } from './format';

/** Such as `6 points, 27 stages, about 2 min`; what is not known is said. */
export function workloadText({ points, stages, waiting, unknown, seconds, restores }: Workload): string {
  if (stages === 0) {
    return restores ? 'nothing to run: earlier outputs are put back' : 'nothing to do: all is up to date';
  }
  const parts = points > 1 ? [plural(points, 'point')] : [];
  parts.push(waiting > 0 ? `up to ${plural(stages, 'stage')}` : plural(stages, 'stage'));
  if (seconds === null) {
    parts.push('time not known yet');
  } else {
    parts.push(`about ${roughly(seconds)}`);
    if (unknown > 0) {
      parts.push(`without ${plural(unknown, 'stage')} that never ran`);
    }
  }
  return parts.join(', ');
}

/** A duration with as many digits as an estimate deserves: `1 s`, `12 s`, `2 min`, `3 h 10 min`. */
function roughly(seconds: number): string {
  if (seconds < 1) {
    return '1 s';
  }
  if (seconds < 59.5) {
    return `${Math.round(seconds)} s`;
  }
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : duration(seconds);
}
