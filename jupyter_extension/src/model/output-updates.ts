/** What of the outputs of a cell has to be drawn anew when the cell has gone on. */

export interface Output {
  readonly output_type: string;
  readonly name?: unknown;
  readonly text?: unknown;
}

export interface OutputUpdate {
  /** Outputs that take the places of others, by their index. */
  readonly replaced: readonly (readonly [number, Output])[];
  /** Outputs that follow those that are there. A stream goes on with the text of the last one. */
  readonly added: readonly Output[];
}

/** The steps from the outputs of `before` to those of `now`; null where all are to be drawn anew. */
export function outputUpdate(before: readonly Output[], now: readonly Output[]): OutputUpdate | null {
  const [old, next] = [merged(before), merged(now)];
  const replaced: [number, Output][] = [];
  const added: Output[] = [];
  if (next.length < old.length) {
    return null;
  }
  for (const [at, output] of next.entries()) {
    const was = old[at];
    if (was === undefined) {
      added.push(output);
    } else if (!isSame(was, output)) {
      const more = at === old.length - 1 ? growth(was, output) : null;
      if (more !== null) {
        added.push(more);
      } else if (isStream(was) || isStream(output)) {
        return null; // JupyterLab goes on with the text of a stream by a state of its own
      } else {
        replaced.push([at, output]);
      }
    }
  }
  return { replaced, added };
}

/** What a stream wrote since, as a stream; null where it is another one. */
function growth(was: Output, output: Output): Output | null {
  const [text, longer] = [was.text, output.text];
  const isLonger =
    isStream(was) &&
    isStream(output) &&
    was.name === output.name &&
    typeof text === 'string' &&
    typeof longer === 'string' &&
    longer.startsWith(text);
  return isLonger ? { ...output, text: longer.slice(text.length) } : null;
}

/** Streams of the same name that follow each other are one to JupyterLab. */
function merged(outputs: readonly Output[]): Output[] {
  const found: Output[] = [];
  for (const output of outputs) {
    const last = found[found.length - 1];
    if (
      last !== undefined &&
      isStream(last) &&
      isStream(output) &&
      last.name === output.name &&
      typeof last.text === 'string' &&
      typeof output.text === 'string'
    ) {
      found[found.length - 1] = { ...last, text: last.text + output.text };
    } else {
      found.push(output);
    }
  }
  return found;
}

function isStream(output: Output): boolean {
  return output.output_type === 'stream';
}

/** Whether two values of JSON are the same. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) {
    return true;
  }
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return false;
  }
  if (Array.isArray(one) !== Array.isArray(other)) {
    return false;
  }
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every(name =>
      isSame((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name])
    )
  );
}
