/** The row of icons that opens the views. */

import { historyIcon, type LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { plural } from '../model/format';
import { openIncidents } from '../services/operations';
import type { Context } from './context';
import { useAnswer, useRound } from './hooks';
import { stagebookIcon } from './icon';
import { environmentIcon, figureIcon, gridIcon, incidentIcon, scheduleIcon } from './icons';

interface View {
  readonly label: string;
  readonly title: string;
  readonly icon: LabIcon;
  readonly open: () => void;
  /** What is to be said besides the label: a count, and the words for it. */
  readonly badge?: { readonly text: string; readonly label: string } | undefined;
}

/** A toolbar with one tab stop; the arrow keys go from view to view. Where it is wide enough, icons have their names beside them. */
export function ViewsBar(props: { context: Context }): React.JSX.Element {
  const { trans } = props.context;
  const [at, setAt] = React.useState(0);
  const bar = React.useRef<HTMLDivElement>(null);
  const views = viewsOf(props.context, useOpenIncidents(props.context));
  const press = (event: React.KeyboardEvent): void => {
    const last = views.length - 1;
    const targets: Readonly<Record<string, number>> = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last
    };
    const next = targets[event.key];
    if (next !== undefined) {
      bar.current?.querySelectorAll('button')[next]?.focus();
      event.preventDefault();
    }
  };
  return (
    <div className="sb-Views" role="toolbar" aria-label={trans.__('Views')} ref={bar} onKeyDown={press}>
      {views.map((view, index) => (
        <button
          key={view.label}
          className="sb-View"
          tabIndex={index === at ? 0 : -1}
          title={`${view.label}: ${view.title}`}
          aria-label={view.badge?.label}
          onFocus={() => setAt(index)}
          onClick={view.open}
        >
          <view.icon.react tag="span" className="sb-Icon" />
          <span className="sb-ViewName">{view.label}</span>
          {view.badge && <span className="sb-Badged">{view.badge.text}</span>}
        </button>
      ))}
    </div>
  );
}

function viewsOf({ actions, trans }: Context, incidents: number): readonly View[] {
  return [
    {
      label: trans.__('Graph'),
      title: trans.__('the stages and what they depend on'),
      icon: stagebookIcon,
      open: actions.openGraph
    },
    {
      label: trans.__('Runs'),
      title: trans.__('what was run, and what came of it'),
      icon: historyIcon,
      open: actions.openRuns
    },
    {
      label: trans.__('Over time'),
      title: trans.__('runs and days side by side, and what intervals of the past lack'),
      icon: gridIcon,
      open: actions.openTimeline
    },
    {
      label: trans.__('Schedules'),
      title: trans.__('what fires by itself, and when'),
      icon: scheduleIcon,
      open: actions.openSchedules
    },
    {
      label: trans.__('Incidents'),
      title:
        incidents === 0 ? trans.__('nothing is wrong that is known') : trans.__('what is wrong, since when'),
      icon: incidentIcon,
      open: actions.openIncidents,
      badge:
        incidents === 0 ? undefined : { text: `✗ ${incidents}`, label: plural(incidents, 'open incident') }
    },
    {
      label: trans.__('Environments'),
      title: trans.__('this window works in dev, the working tree; see what the others show'),
      icon: environmentIcon,
      open: actions.openEnvironments
    },
    {
      label: trans.__('Figures'),
      title: trans.__('how much work, how often it breaks, how fast change reaches production'),
      icon: figureIcon,
      open: actions.openFigures
    }
  ];
}

function useOpenIncidents(context: Context): number {
  const { store } = context;
  const { projectPath, project } = store;
  const [round] = useRound(context);
  const open = useAnswer(
    () => (project === null ? null : openIncidents(store.api, projectPath)),
    [projectPath, project === null, round]
  );
  return Object.values(open.value ?? {}).reduce((sum, count) => sum + count, 0);
}
