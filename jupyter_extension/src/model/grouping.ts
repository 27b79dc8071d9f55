/** Stages with several instances as one entry, and stages whose names begin alike; and the search for stages. */

import { plural } from './format';
import { prefixes } from './prefixes';
import { cellOf, counts, type StageView, type State } from './stage-state';

export interface Entry {
  /** The id of the stage, or the name of the folded group; of stages that begin alike the beginning with `/*`. */
  readonly key: string;
  readonly label: string;
  readonly state: State;
  /** The stages in it; one where nothing is folded. */
  readonly views: readonly StageView[];
  /** Whether the entry stands for several instances that are not shown on their own. */
  readonly folded: boolean;
  /** The depth in the list: 1 for an instance below its unfolded group. */
  readonly level: 0 | 1;
  /** Whether the entry is the head of an unfolded group. */
  readonly open: boolean;
  /** What a folded entry stands for: instances of one stage, or stages whose names begin alike. */
  readonly unit: 'instance' | 'stage';
}

/** The lines of a list: a group is one line, and its instances follow it where it is open. */
export function lines(views: readonly StageView[], open: ReadonlySet<string>): Entry[] {
  const found: Entry[] = [];
  for (const [name, members] of groups(views)) {
    const first = members[0];
    if (first === undefined) {
      continue;
    }
    if (members.length === 1) {
      found.push(single(first, 0));
      continue;
    }
    const isOpen = open.has(name);
    found.push({ ...group(name, members), folded: !isOpen, open: isOpen });
    if (isOpen) {
      found.push(...members.map(view => single(view, 1)));
    }
  }
  return found;
}

/** The nodes of a graph: a folded group is one node, an open one is its members. */
export function nodes(views: readonly StageView[], open: ReadonlySet<string>): Entry[] {
  const found: Entry[] = [];
  const folds = new Map<string, Entry>();
  for (const fold of foldsOf(views)) {
    if (!open.has(fold.key)) {
      fold.views.forEach(view => folds.set(view.stage, fold));
    }
  }
  const done = new Set<Entry>();
  for (const [name, members] of groups(views)) {
    const fold = folds.get(name);
    if (fold !== undefined) {
      if (!done.has(fold)) {
        found.push(fold);
      }
      done.add(fold);
    } else if (members.length === 1 || open.has(name)) {
      found.push(...members.map(view => single(view, 0)));
    } else {
      found.push(group(name, members));
    }
  }
  return found;
}

/** All that can be unfolded, by the keys of the folded entries. */
export function foldable(views: readonly StageView[]): string[] {
  const several = [...groups(views)].filter(([, members]) => members.length > 1).map(([name]) => name);
  return [...foldsOf(views).map(fold => fold.key), ...several];
}

/** The stages of a large pipeline whose names begin alike, each as a folded entry. */
function foldsOf(views: readonly StageView[]): Entry[] {
  const stages = [...groups(views)].map(([name, members]) => group(name, members));
  return [...prefixes(edges(stages))].map(([beginning, names]) => {
    const inside = new Set(names);
    const members = views.filter(view => inside.has(view.stage));
    return { ...group(`${beginning}/*`, members), label: `${beginning} …`, unit: 'stage' as const };
  });
}

/** How many a folded entry stands for: `3 instances`. */
export function sizeOf(entry: Entry): string {
  const names = new Set(entry.views.map(view => view.stage));
  return plural(entry.unit === 'stage' ? names.size : entry.views.length, entry.unit);
}

/** For each node the nodes before it. */
export function edges(entries: readonly Entry[]): Map<string, string[]> {
  const owner = new Map<string, string>();
  const members = new Map<string, string[]>();
  for (const entry of entries) {
    for (const view of entry.views) {
      owner.set(view.id, entry.key);
    }
  }
  for (const entry of entries) {
    for (const view of entry.views) {
      // A plan may name a stage whose instances became known during the run: it means all of them.
      members.set(view.stage, [...(members.get(view.stage) ?? []), entry.key]);
    }
  }
  return new Map(
    entries.map(entry => {
      const before = new Set<string>();
      for (const view of entry.views) {
        for (const id of view.upstream) {
          const key = owner.get(id);
          for (const one of key === undefined ? (members.get(id) ?? []) : [key]) {
            if (one !== entry.key) {
              before.add(one);
            }
          }
        }
      }
      return [entry.key, [...before]];
    })
  );
}

/** The state of a folded group in words: `failed` where all instances are, else `2 failed`. */
export function summaryOf(entry: Entry): string {
  const alike = entry.views.filter(view => view.state === entry.state).length;
  return alike === entry.views.length ? entry.state : `${alike} ${entry.state}`;
}

/** What the contracts of an entry came to where not all hold, in a few words; else empty. */
export function findingsOf(entry: Entry): string {
  const found = entry.views.filter(view => view.findings);
  return found.length > 1 ? `checks do not hold in ${found.length}` : (found[0]?.findings ?? '');
}

/** What a screen reader says of an entry; of a single stage with `more`. */
export function labelOf(entry: Entry, ...more: readonly string[]): string {
  const view = entry.views[0];
  if (entry.folded || entry.open || view === undefined) {
    return [entry.label, sizeOf(entry), summaryOf(entry), findingsOf(entry)].filter(Boolean).join(', ');
  }
  const next = view.next && `next run: ${view.next}`;
  return [view.id, view.state, cellOf(view), view.why, next, ...more, view.findings]
    .filter(Boolean)
    .join(', ');
}

/** The stages whose id, state, notebook or findings contain all words of a text. */
export function search(views: readonly StageView[], text: string): StageView[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return views.filter(view => {
    const where = `${view.id} ${view.state} ${view.notebook} ${view.runs} ${view.findings}`.toLowerCase();
    return words.every(word => where.includes(word));
  });
}

function groups(views: readonly StageView[]): Map<string, StageView[]> {
  const found = new Map<string, StageView[]>();
  for (const view of views) {
    const members = found.get(view.stage);
    if (members === undefined) {
      found.set(view.stage, [view]);
    } else {
      members.push(view);
    }
  }
  return found;
}

function group(name: string, views: readonly StageView[]): Entry {
  const state = counts(views)[0]?.[0] ?? 'new';
  return { key: name, label: name, state, views, folded: true, level: 0, open: false, unit: 'instance' };
}

function single(view: StageView, level: 0 | 1): Entry {
  return {
    key: view.id,
    label: level === 1 ? view.id.slice(view.stage.length) || view.id : view.id,
    state: view.state,
    views: [view],
    folded: false,
    level,
    open: false,
    unit: 'instance'
  };
}
