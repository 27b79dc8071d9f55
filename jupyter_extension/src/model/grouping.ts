/** Stages with several instances as one entry; and the search for stages. */

import { plural } from './format';
import { cellOf, counts, type StageView, type State } from './stage-state';

export interface Entry {
  /** The id of the stage, or the name of the folded group. */
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

/** The nodes of a graph: a folded group is one node, an open one is its instances. */
export function nodes(views: readonly StageView[], open: ReadonlySet<string>): Entry[] {
  const found: Entry[] = [];
  for (const [name, members] of groups(views)) {
    if (members.length === 1 || open.has(name)) {
      found.push(...members.map(view => single(view, 0)));
    } else {
      found.push(group(name, members));
    }
  }
  return found;
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

/** What a screen reader says of an entry. */
export function labelOf(entry: Entry): string {
  const view = entry.views[0];
  if (entry.folded || entry.open || view === undefined) {
    const many = plural(entry.views.length, 'instance');
    return [entry.label, many, summaryOf(entry), findingsOf(entry)].filter(Boolean).join(', ');
  }
  return [view.id, view.state, cellOf(view), view.why, view.next && `next run: ${view.next}`, view.findings]
    .filter(Boolean)
    .join(', ');
}

/** The stages whose id, state, notebook or findings contain all words of a text. */
export function search(views: readonly StageView[], text: string): StageView[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return views.filter(view => {
    const where = `${view.id} ${view.state} ${view.notebook} ${view.findings}`.toLowerCase();
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
  return { key: name, label: name, state, views, folded: true, level: 0, open: false };
}

function single(view: StageView, level: 0 | 1): Entry {
  return {
    key: view.id,
    label: level === 1 ? view.id.slice(view.stage.length) || view.id : view.id,
    state: view.state,
    views: [view],
    folded: false,
    level,
    open: false
  };
}
