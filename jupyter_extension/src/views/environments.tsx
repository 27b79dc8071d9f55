/** The view of the environments: what each shows, its versions, what waits, and what differs from the working tree. */

import * as React from 'react';

import type { Context } from './context';
import type { Ask } from './environment-parts';
import { Datasets, Proposals, Versions } from './environment-parts';
import { ago, plural } from '../model/format';
import { useAnswer, useNow, useStore } from './hooks';
import { MainView } from './main-view';
import { ConnectionNote } from './parts';
import type { EnvironmentInfo } from '../wire';

export class EnvironmentsView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-environments', context.trans.__('Environments'));
    this.addClass('sb-RunsView');
  }

  protected override render(): React.JSX.Element {
    return <Environments context={this._context} />;
  }
}

function Environments(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const [chosen, setChosen] = React.useState('');
  // Read again when something was done here, when the window gets the focus, and every minute.
  const [round, again] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    window.addEventListener('focus', again);
    return () => window.removeEventListener('focus', again);
  }, []);
  const minute = Math.floor(useNow(20) / 60);
  const all = useAnswer(() => store.api.environments(store.projectPath), [store.projectPath, round, minute]);
  const list = all.value?.environments ?? [];
  const name = list.find(one => one.name === chosen)?.name ?? list[0]?.name ?? '';
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Environments')}>
        <span className="sb-Help">
          {trans.__('This window works in dev, the working tree. Others see what an environment shows.')}
        </span>
        <button className="sb-Button" onClick={again}>
          {trans.__('Look again')}
        </button>
      </div>
      <ConnectionNote context={context} />
      {all.error && <p className="sb-FieldError">{all.error}</p>}
      <div className="sb-Body">
        <div className="sb-Runs">
          <table aria-label={trans.__('Environments')}>
            <thead>
              <tr>
                <th>{trans.__('Environment')}</th>
                <th>{trans.__('Shows')}</th>
                <th>{trans.__('Of the release')}</th>
                <th>{trans.__('Since')}</th>
              </tr>
            </thead>
            <tbody>
              {list.map(one => (
                <Row
                  key={one.name}
                  context={context}
                  one={one}
                  isCurrent={one.name === name}
                  show={() => setChosen(one.name)}
                />
              ))}
            </tbody>
          </table>
          {list.length === 0 && all.value !== null && (
            <p className="sb-None">
              {trans.__('No environment but dev. Declare one in stagebook.toml:')}{' '}
              <code>[environments.prod]</code>
            </p>
          )}
        </div>
        <div className="sb-RunPage">
          {name !== '' && (
            <Environment key={name} context={context} name={name} round={round + minute} again={again} />
          )}
        </div>
      </div>
    </>
  );
}

function Row(props: {
  context: Context;
  one: EnvironmentInfo;
  isCurrent: boolean;
  show: () => void;
}): React.JSX.Element {
  const { one } = props;
  const { trans } = props.context;
  const now = useNow(30);
  return (
    <tr data-current={props.isCurrent}>
      <td>
        <button className="sb-Link" aria-current={props.isCurrent} onClick={props.show}>
          {one.name}
        </button>
        {one.protected && <span className="sb-Help"> {trans.__('protected')}</span>}
        {one.waiting > 0 && <span className="sb-Findings"> ! {plural(one.waiting, 'proposal')}</span>}
      </td>
      <td>{one.version > 0 ? trans.__('version %1', one.version) : trans.__('nothing yet')}</td>
      <td>{one.version > 0 && (one.release.slice(0, 10) || trans.__('working tree'))}</td>
      <td>{one.at !== null && ago(one.at, now)}</td>
    </tr>
  );
}

/** What is done at the moment, and what became of the last thing. */
interface Doing {
  readonly what: string;
  readonly error: string;
  readonly busy: boolean;
}

function Environment(props: {
  context: Context;
  name: string;
  round: number;
  again: () => void;
}): React.JSX.Element {
  const { context, name } = props;
  const { store, actions, trans } = context;
  const project = store.projectPath;
  const found = useAnswer(() => store.api.environment(project, name), [project, name, props.round]);
  const [doing, setDoing] = React.useState<Doing>({ what: '', error: '', busy: false });
  const [page, setPage] = React.useState<{ title: string; html: string } | null>(null);
  const work = (what: string, ask: () => Promise<string>): void => {
    setDoing({ what, error: '', busy: true });
    ask().then(
      done => {
        setDoing({ what: done, error: '', busy: false });
        props.again();
      },
      (error: unknown) => {
        setDoing({ what: '', error: error instanceof Error ? error.message : String(error), busy: false });
        props.again();
      }
    );
  };
  const act = (what: string, done: string, request: Ask): void =>
    work(what, async () => {
      await store.api.act({ ...request, project, target: name });
      return done;
    });
  const show = (title: string, ask: () => Promise<{ readonly html: string }>): void =>
    work(trans.__('%1 …', title), async () => {
      const { html } = await ask();
      setPage(html === '' ? null : { title, html });
      return html === '' ? trans.__('There is nothing to compare with.') : '';
    });
  const environment = found.value?.environment;
  if (environment === undefined) {
    return <p className="sb-FieldError">{found.error}</p>;
  }
  const check = (): void =>
    show(trans.__('Check of this change'), async () => {
      try {
        await store.api.act({ action: 'ci', project, target: name });
      } catch (error) {
        const report = await store.api.report(project);
        if (report.html === '') {
          throw error;
        }
        actions.say(error);
        return report;
      }
      return store.api.report(project);
    });
  return (
    <section aria-label={trans.__('The environment %1', name)}>
      <h2>
        {name} <span className="sb-Help">{environment.path}</span>
      </h2>
      <div className="sb-Buttons">
        <button
          className="sb-Button"
          disabled={doing.busy}
          onClick={() => actions.deploy(name, (what, request) => act(what, trans.__('Done.'), request))}
        >
          {trans.__('Promote dev to %1 …', name)}
        </button>
        <button
          className="sb-Button"
          disabled={doing.busy || environment.version === 0}
          onClick={() =>
            show(trans.__('%1 and the working tree', name), () => store.api.difference(project, name, 'dev'))
          }
        >
          {trans.__('Compare with the working tree')}
        </button>
        <button className="sb-Button" disabled={doing.busy} onClick={check}>
          {trans.__('Check this change')}
        </button>
      </div>
      <p className="sb-Detail" role="status">
        {doing.what}
      </p>
      {doing.error && (
        <pre className="sb-Traceback" tabIndex={0} aria-label={trans.__('What went wrong')}>
          {doing.error}
        </pre>
      )}
      {page !== null && <Page context={context} {...page} close={() => setPage(null)} />}
      <Proposals context={context} reply={found.value} busy={doing.busy} act={act} />
      <Versions
        context={context}
        reply={found.value}
        busy={doing.busy}
        act={act}
        compare={version =>
          show(trans.__('version %1 and the present one', version), () =>
            store.api.difference(project, `${name}@${version}`, name)
          )
        }
      />
      <Datasets context={context} reply={found.value} />
    </section>
  );
}

/** A page in a frame without any rights: no script runs in it, and it reaches nothing. */
function Page(props: {
  context: Context;
  title: string;
  html: string;
  close: () => void;
}): React.JSX.Element {
  const { trans } = props.context;
  return (
    <div className="sb-Framed">
      <div className="sb-Bar">
        <strong>{props.title}</strong>
        <button className="sb-Button" onClick={props.close}>
          {trans.__('Close')}
        </button>
      </div>
      <iframe title={props.title} sandbox="" srcDoc={props.html} />
    </div>
  );
}
