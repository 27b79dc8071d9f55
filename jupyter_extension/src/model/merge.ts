/** Merging what two have made of one text. */

interface Edit {
  /** The lines from `start` to before `end` were replaced by `lines`. */
  readonly start: number;
  readonly end: number;
  readonly lines: readonly string[];
}

/** The text with the edits of both; null where both changed the same lines, or lines beside each other. */
export function merge(base: string, mine: string, theirs: string): string | null {
  if (mine === theirs || theirs === base) {
    return mine;
  }
  if (mine === base) {
    return theirs;
  }
  const lines = base.split('\n');
  const [one, other] = [editOf(lines, mine.split('\n')), editOf(lines, theirs.split('\n'))];
  const [first, second] = one.start <= other.start ? [one, other] : [other, one];
  const areApart = first.end < second.start;
  if (!areApart) {
    return null;
  }
  return [
    ...lines.slice(0, first.start),
    ...first.lines,
    ...lines.slice(first.end, second.start),
    ...second.lines,
    ...lines.slice(second.end)
  ].join('\n');
}

/** The edit between the lines that two texts begin with and those that both end with. */
function editOf(before: readonly string[], after: readonly string[]): Edit {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) {
    head += 1;
  }
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) {
    tail += 1;
  }
  return { start: head, end: before.length - tail, lines: after.slice(head, after.length - tail) };
}
