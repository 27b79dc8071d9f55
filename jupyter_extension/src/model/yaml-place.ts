/** Where in a pipeline file something stands, as far as completion needs to know: nothing is parsed as a whole. */

export interface Place {
  /** The keys of the mappings around it. */
  readonly path: readonly string[];
  /** The key whose value it is in; null where it is in a key. */
  readonly key: string | null;
  /** What stands there up to the place, and where that begins in the line. */
  readonly word: string;
  readonly from: number;
}

const KEY = /^(\s*)("[^"]*"|'[^']*'|[^\s:#{}[\],"'][^:#{}[\],]*?)\s*:(?=\s|$)\s*/;

/** The place at a column of a line, which count from 0. */
export function placeAt(lines: readonly string[], line: number, column: number): Place {
  const before = (lines[line] ?? '').slice(0, column);
  const match = KEY.exec(before);
  const indent = before.search(/\S/) < 0 ? before.length : before.search(/\S/);
  const path = parents(lines, line, indent);
  if (match === null) {
    const dash = /^\s*(- )*/.exec(before)?.[0].length ?? 0;
    const isItem = before.slice(0, dash).includes('-');
    const start = isItem ? dash : indent;
    // An item of a list is a value of the key above it.
    return isItem
      ? { path: path.slice(0, -1), key: path.at(-1) ?? null, word: before.slice(start), from: start }
      : { path, key: null, word: before.slice(start), from: start };
  }
  return within(before, match[0].length, path, bare(match[2] ?? ''));
}

/** The place in the value of a key, which may be a mapping or a list in braces. */
function within(before: string, start: number, path: readonly string[], key: string): Place {
  const open: { readonly path: readonly string[]; readonly key: string; readonly isList: boolean }[] = [];
  let [here, now, from]: [readonly string[], string | null, number] = [path, key, start];
  for (let at = start; at < before.length; at++) {
    const character = before[at] ?? '';
    const quoted = character === '"' || character === "'" ? before.indexOf(character, at + 1) : -1;
    if (quoted > at) {
      at = quoted;
    } else if (character === '$' && before[at + 1] === '{') {
      const close = before.indexOf('}', at);
      at = close < 0 ? before.length : close;
    } else if (character === '{' || character === '[') {
      const isList = character === '[';
      open.push({ path: here, key: now ?? '', isList });
      [here, now, from] = isList ? [here, now, at + 1] : [[...here, now ?? ''], null, at + 1];
    } else if (character === '}' || character === ']') {
      const last = open.pop();
      [here, now, from] = [last?.path ?? here, last?.key ?? now, at + 1];
    } else if (character === ',' && open.length > 0) {
      [now, from] = [open.at(-1)?.isList === true ? now : null, at + 1];
    } else if (character === ':' && now === null && before[at + 1] === ' ') {
      [now, from] = [bare(before.slice(from, at).trim()), at + 1];
    }
  }
  while (before[from] === ' ') {
    from += 1;
  }
  return { path: here, key: now, word: before.slice(from), from };
}

/** The keys above a line that are less indented, from the outermost on. */
function parents(lines: readonly string[], line: number, indent: number): string[] {
  const found: string[] = [];
  let limit = indent;
  for (let at = line - 1; at >= 0 && limit > 0; at--) {
    const match = KEY.exec(lines[at] ?? '');
    const own = match?.[1]?.length ?? limit;
    if (match !== null && own < limit) {
      found.unshift(bare(match[2] ?? ''));
      limit = own;
    }
  }
  return found;
}

function bare(key: string): string {
  return key.replace(/^["']|["']$/g, '');
}
