/** What JupyterLab's editor of a pipeline file has besides: completion, the meaning of keys, and mistakes while one types. */

import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { type Extension, StateEffect, StateField, type Text } from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  EditorView,
  hoverTooltip,
  type Panel,
  showPanel,
  type Tooltip,
  ViewPlugin
} from '@codemirror/view';
import type { TranslationBundle } from '@jupyterlab/translation';

import { meaningAt, type Names, offersAt, type Schema } from '../model/yaml-assist';
import type { CheckReply, Problem } from '../wire';

const SETTLE = 350; // milliseconds of quiet before a text is checked

/** What the editor asks for. */
export interface Assistance {
  readonly check: (text: string) => Promise<CheckReply>;
  readonly schema: () => Promise<Schema>;
  readonly trans: TranslationBundle;
}

const NOTHING: Names & Pick<CheckReply, 'problems'> = { problems: [], stages: [], offers: [], params: [] };
const checked = StateEffect.define<CheckReply>();

/** What the last check came to. */
const found = StateField.define<typeof NOTHING>({
  create: () => NOTHING,
  update: (value, { effects }) => {
    const reply = effects.find(effect => effect.is(checked))?.value;
    // While a word is half typed nothing can be read: the names of before are still good.
    const isUnread = reply !== undefined && reply.stages.length === 0 && reply.problems.length > 0;
    return isUnread ? { ...value, problems: reply.problems } : (reply ?? value);
  }
});

/** The extension of the editor. */
export function pipelineEditor(assistance: Assistance): Extension {
  return [
    found,
    EditorView.decorations.compute([found, 'doc'], state => marks(state.doc, state.field(found).problems)),
    autocompletion({ override: [context => complete(assistance, context)], icons: false }),
    hoverTooltip((view, position) => hover(assistance, view, position), { hoverTime: 250 }),
    showPanel.of(view => problemPanel(view, assistance.trans)),
    checker(assistance)
  ];
}

/** Checks the text when it is opened, whenever it was left alone for a moment, and when the editor gets the focus. */
function checker({ check }: Assistance): Extension {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [asked, shown] = [0, 0];
  const ask = (view: EditorView): void => {
    const now = (asked += 1);
    check(view.state.doc.toString()).then(
      reply => {
        // Answers may overtake each other; one that is older than what is shown comes too late.
        if (now > shown) {
          shown = now;
          view.dispatch({ effects: checked.of(reply) });
        }
      },
      () => undefined // the server does not answer: what was known stays
    );
  };
  const listener = EditorView.updateListener.of(update => {
    if (update.docChanged || update.focusChanged) {
      clearTimeout(timer);
      timer = setTimeout(() => ask(update.view), SETTLE);
    }
  });
  const opening = ViewPlugin.define(view => {
    ask(view);
    return { destroy: () => clearTimeout(timer) };
  });
  return [listener, opening];
}

/** The words that mistakes are about, underlined. */
function marks(doc: Text, problems: readonly Problem[]): DecorationSet {
  const ranges = problems.flatMap(problem => {
    const place = rangeOf(doc, problem);
    return place === null ? [] : [Decoration.mark({ class: 'sb-Mistake' }).range(place.from, place.to)];
  });
  return Decoration.set(ranges, true);
}

function rangeOf(doc: Text, { line, column }: Problem): { from: number; to: number } | null {
  if (line < 1 || line > doc.lines) {
    return null;
  }
  const { from, to, text } = doc.line(line);
  const start = Math.min(Math.max(0, column - 1), text.length);
  const word = /^[\w$./@-]+/.exec(text.slice(start))?.[0] ?? text.slice(start).trimEnd();
  const begin = Math.max(from, Math.min(from + start, to - 1));
  return begin >= to ? null : { from: begin, to: Math.min(to, begin + Math.max(1, word.length)) };
}

async function complete(
  { schema }: Assistance,
  context: CompletionContext
): Promise<CompletionResult | null> {
  const { state, pos, explicit } = context;
  const { from, number } = state.doc.lineAt(pos);
  const lines = state.doc.toString().split('\n');
  const offered = offersAt(await schema(), state.field(found), lines, number - 1, pos - from);
  const hasWord = from + offered.from < pos;
  if (context.aborted || offered.offers.length === 0 || !(explicit || hasWord)) {
    return null;
  }
  return {
    from: from + offered.from,
    options: offered.offers.map(({ label, apply, detail }) => ({
      label,
      apply,
      ...(detail === '' ? {} : { info: detail })
    })),
    validFor: /^[\w.@${-]*$/
  };
}

async function hover({ schema }: Assistance, view: EditorView, position: number): Promise<Tooltip | null> {
  const { doc } = view.state;
  const { from, number } = doc.lineAt(position);
  const wrong = view.state.field(found).problems.filter(problem => {
    const place = rangeOf(doc, problem);
    return place !== null && place.from <= position && position <= place.to;
  });
  const meaning = meaningAt(await schema(), doc.toString().split('\n'), number - 1, position - from);
  const texts = [...wrong.map(problem => `✗ ${textOf(problem)}`), ...(meaning === null ? [] : [meaning])];
  if (texts.length === 0) {
    return null;
  }
  return {
    pos: position,
    create: () => {
      const dom = document.createElement('div');
      dom.className = 'sb-Meaning';
      dom.append(...texts.map(paragraph));
      return { dom };
    }
  };
}

/** All mistakes below the text: a click on one leads to its place. */
function problemPanel(editor: EditorView, trans: TranslationBundle): Panel {
  const dom = document.createElement('div');
  dom.className = 'sb-Mistakes';
  dom.setAttribute('role', 'status');
  dom.setAttribute('aria-label', trans.__('Mistakes in the pipeline'));
  const draw = (view: EditorView): void => {
    const { problems } = view.state.field(found);
    dom.hidden = problems.length === 0;
    dom.replaceChildren(
      ...problems.map(problem => {
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'sb-Link';
        const where = problem.line > 0 ? trans.__('line %1', problem.line) : trans.__('the file');
        button.textContent = `✗ ${where}: ${textOf(problem)}`;
        button.onclick = () => {
          const place = rangeOf(view.state.doc, problem);
          if (place !== null) {
            view.dispatch({ selection: { anchor: place.from }, scrollIntoView: true });
          }
          view.focus();
        };
        return button;
      })
    );
  };
  draw(editor);
  return {
    dom,
    update: update => {
      if (update.startState.field(found) !== update.state.field(found)) {
        draw(update.view);
      }
    }
  };
}

function textOf({ message, hint }: Problem): string {
  return hint ? `${message}: ${hint}` : message;
}

function paragraph(text: string): HTMLElement {
  const made = document.createElement('p');
  made.textContent = text;
  return made;
}
