/** What a stage printed, as it prints it. Always text: nothing in it is markup. */

import { Clipboard } from '@jupyterlab/apputils';
import * as React from 'react';

import { bytes } from '../model/format';
import { type LevelFilter, type LogText, marked, stepped, windowOf } from '../model/log-text';
import { shortId } from '../model/run-name';
import { type LogOf, LogReader } from '../services/log-reader';
import type { Context } from './context';
import { useSize } from './hooks';
import { MainView } from './main-view';

const LINE = 1.4; // of the size of the font
const NEAR = 2; // lines from the end within which it is followed

export class LogView extends MainView {
  constructor(
    context: Context,
    readonly of: LogOf,
    isRunning: () => boolean
  ) {
    const { trans } = context;
    super(context, `stagebook-log-${of.run}-${of.stage}-${of.attempt}`, trans.__('%1: log', of.stage));
    this.title.caption = trans.__('%1, attempt %2, %3', of.stage, of.attempt, of.run);
    this.addClass('sb-Log');
    this._reader = new LogReader(context.store.api, of, isRunning);
  }

  override dispose(): void {
    this._reader.stop();
    super.dispose();
  }

  /** A tab that is moved is attached again: what it shows goes on. */
  protected override onAfterAttach(...message: Parameters<MainView['onAfterAttach']>): void {
    super.onAfterAttach(...message);
    this._reader.start();
  }

  /** The lines get the focus; before they are drawn the view has it, and hands it on. */
  protected override onActivateRequest(): void {
    const lines = this.node.querySelector<HTMLElement>('.sb-LogText');
    if (lines === null) {
      super.onActivateRequest();
    } else {
      lines.focus({ preventScroll: true });
    }
  }

  protected override render(): React.JSX.Element {
    return <Log context={this._context} reader={this._reader} label={this.title.caption} />;
  }

  private readonly _reader: LogReader;
}

/** What is looked for, and at which of the lines that have it one is. */
interface Search {
  readonly text: string;
  readonly at: number;
}

function Log(props: { context: Context; reader: LogReader; label: string }): React.JSX.Element {
  const { context, reader } = props;
  const { text } = reader;
  const { trans } = context;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const [filter, setFilter] = React.useState<LevelFilter>('all');
  const [search, setSearch] = React.useState<Search>({ text: '', at: 0 });
  const [isFollowed, follow] = React.useState(true);
  const field = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => {
    reader.changed.connect(draw);
    return () => {
      reader.changed.disconnect(draw);
    };
  }, [reader]);
  const look = (level: LevelFilter, wanted: string): void => {
    text.look(level, wanted);
    setFilter(level);
    setSearch({ text: wanted, at: 0 });
    if (text.found.length > 0) {
      follow(false);
    }
  };
  const step = (by: number): void => {
    follow(false);
    setSearch({ ...search, at: stepped(search.at, by, text.found.length) });
  };
  return (
    <div
      className="sb-LogWhole"
      onKeyDown={event => {
        if (event.key === 'f' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.stopPropagation();
          field.current?.select();
        }
      }}
    >
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Log')}>
        <SearchField
          context={context}
          field={field}
          search={search}
          found={text.found.length}
          look={wanted => look(filter, wanted)}
          step={step}
        />
        <LevelSelect
          context={context}
          text={text}
          filter={filter}
          choose={level => look(level, search.text)}
        />
        <button
          className="sb-Button"
          aria-pressed={isFollowed}
          title={trans.__('Stay at the end as more is printed')}
          onClick={() => follow(!isFollowed)}
        >
          <span aria-hidden="true">{isFollowed ? '✓' : '↓'}</span> {trans.__('Follow the end')}
        </button>
        <button
          className="sb-Button"
          title={trans.__('Copy the lines that are shown')}
          onClick={() => Clipboard.copyToSystem(text.shown.map(at => text.lines[at]).join('\n'))}
        >
          {trans.__('Copy')}
        </button>
      </div>
      <Status context={context} reader={reader} />
      <Lines {...props} search={search} filter={filter} isFollowed={isFollowed} follow={follow} />
    </div>
  );
}

function SearchField(props: {
  context: Context;
  field: React.RefObject<HTMLInputElement>;
  search: Search;
  found: number;
  look: (text: string) => void;
  step: (by: number) => void;
}): React.JSX.Element {
  const { search, found, step } = props;
  const { trans } = props.context;
  const button = (label: string, sign: string, by: number): React.JSX.Element => (
    <button className="sb-Button" title={label} disabled={found === 0} onClick={() => step(by)}>
      <span aria-hidden="true">{sign}</span>
      <span className="sb-Hidden">{label}</span>
    </button>
  );
  return (
    <>
      <input
        ref={props.field}
        type="search"
        className="sb-Search"
        aria-label={trans.__('Search the log')}
        placeholder={trans.__('Search')}
        value={search.text}
        onChange={event => props.look(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter') {
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          }
        }}
      />
      {button(trans.__('Previous match'), '↑', -1)}
      {button(trans.__('Next match'), '↓', 1)}
      <span className="sb-Help sb-Matches" role="status">
        {search.text !== '' &&
          (found === 0 ? trans.__('no match') : trans.__('%1 of %2 lines', search.at + 1, found))}
      </span>
    </>
  );
}

function LevelSelect(props: {
  context: Context;
  text: LogText;
  filter: LevelFilter;
  choose: (filter: LevelFilter) => void;
}): React.JSX.Element {
  const { error, warning, info, other } = props.text.counts;
  const { trans } = props.context;
  const choices: [LevelFilter, string, number][] = [
    ['all', trans.__('all lines'), error + warning + info + other],
    ['info', trans.__('info, warnings, errors'), error + warning + info],
    ['warning', trans.__('warnings, errors'), error + warning],
    ['error', trans.__('errors'), error]
  ];
  return (
    <select
      className="sb-Select"
      aria-label={trans.__('Level')}
      value={props.filter}
      onChange={event => props.choose(event.target.value as LevelFilter)}
    >
      {choices.map(([filter, label, count]) => (
        <option key={filter} value={filter}>
          {`${label} (${count.toLocaleString('en')})`}
        </option>
      ))}
    </select>
  );
}

/** Whether more comes, and what is not shown; nothing of a log that is whole. */
function Status(props: { context: Context; reader: LogReader }): React.JSX.Element | null {
  const { reader } = props;
  const { trans } = props.context;
  const { run, stage } = reader.of;
  const gone = reader.passed + reader.text.gone;
  const isEmpty = reader.text.length === 0;
  const what = reader.isFollowing
    ? trans.__('follows the stage as it prints')
    : reader.isReading
      ? trans.__('reading …')
      : isEmpty && gone === 0
        ? trans.__('it printed nothing')
        : '';
  const told = [reader.error, what].filter(Boolean).join(' · ');
  if (told === '' && gone === 0) {
    return null;
  }
  return (
    <p className="sb-Detail">
      {told}
      {gone > 0 && (
        <>
          {' '}
          {trans.__('The first %1 are not shown. In a terminal:', bytes(gone))}{' '}
          <code>{`stagebook logs ${shortId(run)} ${stage}`}</code>
        </>
      )}
    </p>
  );
}

/** The lines that are in sight, in a space as high as all lines. */
function Lines(props: {
  reader: LogReader;
  label: string;
  search: Search;
  filter: LevelFilter;
  isFollowed: boolean;
  follow: (follow: boolean) => void;
}): React.JSX.Element {
  const { search, isFollowed, follow } = props;
  const { text, isFollowing } = props.reader;
  const scroll = React.useRef<HTMLDivElement>(null);
  const { height } = useSize(scroll);
  const [top, setTop] = React.useState(0);
  const [line, setLine] = React.useState(18);
  const count = text.shown.length;
  const target = text.found[search.at];
  React.useEffect(() => {
    if (document.activeElement?.contains(scroll.current) && document.activeElement.matches('.sb-Log')) {
      scroll.current?.focus({ preventScroll: true });
    }
  }, []);
  React.useLayoutEffect(() => {
    if (scroll.current !== null) {
      setLine(Math.round(parseFloat(getComputedStyle(scroll.current).fontSize) * LINE));
    }
  }, [height]);
  React.useLayoutEffect(() => {
    if (isFollowed && scroll.current !== null) {
      scroll.current.scrollTop = scroll.current.scrollHeight;
    }
  }, [isFollowed, count, height, line, text.gone]);
  React.useLayoutEffect(() => {
    const node = scroll.current;
    if (node !== null && target !== undefined && search.text !== '') {
      node.scrollTop = target * line - node.clientHeight / 2;
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- further lines move nothing
  }, [search, props.filter]);
  const [first, last] = windowOf(top, height, line, count);
  return (
    <div
      ref={scroll}
      className="sb-LogText"
      role="log"
      aria-live={isFollowed && isFollowing ? 'polite' : 'off'}
      aria-label={props.label}
      tabIndex={0}
      onScroll={({ currentTarget: node }) => {
        setTop(node.scrollTop);
        const left = node.scrollHeight - node.scrollTop - node.clientHeight;
        if (node.scrollTop < top && left > NEAR * line) {
          follow(false);
        }
      }}
    >
      <div style={{ height: count * line }}>
        <div style={{ transform: `translateY(${first * line}px)`, lineHeight: `${line}px` }}>
          {text.shown.slice(first, last).map((at, index) => (
            <div
              key={at}
              className="sb-LogLine"
              style={{ height: line }}
              data-level={text.levelAt(at)}
              data-found={search.text !== '' && first + index === target}
            >
              {marked(text.lines[at] ?? '', search.text).map((part, place) =>
                place % 2 === 1 ? <mark key={place}>{part}</mark> : part
              )}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
