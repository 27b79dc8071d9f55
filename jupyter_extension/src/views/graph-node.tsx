/** The card of a stage, or of several, in the graph. What is done with it the canvas takes care of. */

import * as React from 'react';

import { type Card, elapsed } from '../model/card';
import { NODE, type Placed } from '../model/graph-layout';
import { GLYPHS } from '../model/stage-state';
import { fit } from './fitting';
import { useNow } from './hooks';
import { Port } from './wiring';

const LEFT = 16; // of the second and the third line
const NAME = 36;
const INNER = NODE.width - LEFT - 10;
const SMALL = 11; // pixels of the second and the third line

interface Props {
  readonly at: Placed;
  readonly card: Card;
  readonly folded: boolean;
  readonly isSelected: boolean;
  /** Whether it is among the stages of the next run. */
  readonly isChosen: boolean;
  readonly dim: boolean;
  /** Whether a line to another stage can be drawn from it; `portTitle` says so. */
  readonly canConnect: boolean;
  readonly portTitle: string;
  /** Whether the Tab key leads to it. */
  readonly isStop: boolean;
}

/** A stage, or a folded group. Drawn again only where something on it changed: there may be hundreds. */
export const GraphNode = React.memo(function GraphNode(props: Props): React.JSX.Element {
  const { at, card, folded, isSelected, isChosen } = props;
  const marks = (isChosen ? 18 : 0) + (card.findings ? 14 : 0);
  return (
    <g
      className="sb-Node"
      transform={`translate(${at.x} ${at.y})`}
      role="button"
      tabIndex={props.isStop ? 0 : -1}
      aria-pressed={isSelected}
      aria-label={card.label}
      data-key={at.key}
      data-state={card.state}
      data-folded={folded}
      data-dim={props.dim}
      data-selected={isSelected}
      data-chosen={isChosen}
    >
      <title>{card.label}</title>
      {folded && <rect className="sb-Behind" x={5} y={5} width={NODE.width} height={NODE.height} rx={5} />}
      <rect className="sb-Box" width={NODE.width} height={NODE.height} rx={5} />
      <rect className="sb-Mark" width={card.state === 'failed' ? 8 : 4} height={NODE.height} rx={2} />
      <text className="sb-NodeGlyph" x={24} y={22} textAnchor="middle">
        {GLYPHS[card.state]}
      </text>
      <text className="sb-NodeName" x={NAME} y={22}>
        {fit(card.name, NODE.width - NAME - 10 - marks, 13, 600)}
      </text>
      {card.findings && (
        <text className="sb-NodeFindings" x={NODE.width - (isChosen ? 28 : 10)} y={22} textAnchor="end">
          !
        </text>
      )}
      {isChosen && (
        <text className="sb-NodeChosen" x={NODE.width - 10} y={22} textAnchor="end">
          ☑
        </text>
      )}
      {props.canConnect && <Port title={props.portTitle} />}
      <Second card={card} />
      <Third card={card} />
      {card.part !== null && (
        <>
          <rect className="sb-NodeTrack" x={LEFT} y={NODE.height - 6} width={INNER} height={3} rx={1.5} />
          <rect
            className="sb-NodeProgress"
            x={LEFT}
            y={NODE.height - 6}
            width={INNER * card.part}
            height={3}
            rx={1.5}
          />
        </>
      )}
    </g>
  );
}, isSame);

function isSame(before: Props, after: Props): boolean {
  const flags = ['folded', 'isSelected', 'isChosen', 'dim', 'isStop'] as const;
  return (
    before.at.x === after.at.x &&
    before.at.y === after.at.y &&
    flags.every(name => before[name] === after[name]) &&
    (Object.keys(after.card) as (keyof Card)[]).every(name => before.card[name] === after.card[name])
  );
}

/** The state, and what is to be said of it. */
function Second({ card }: { card: Card }): React.JSX.Element {
  const rest = card.findings || card.detail;
  const text = fit(rest ? `${card.word} · ${rest}` : card.word, INNER, SMALL);
  return (
    <text className="sb-NodeDetail" x={LEFT} y={40}>
      <tspan className="sb-NodeState">{text.slice(0, card.word.length)}</tspan>
      {text.slice(card.word.length)}
    </text>
  );
}

/** The time, and the first metric. */
function Third({ card }: { card: Card }): React.JSX.Element {
  const room = card.metric === '' ? 0 : card.took.length > 12 ? 0.42 : 0.6; // of the width, for the metric
  return (
    <>
      {card.since === null ? (
        <text className="sb-NodeDetail" x={LEFT} y={57}>
          {fit(card.took, INNER * (1 - room), SMALL)}
        </text>
      ) : (
        <Running since={card.since} usual={card.usual} />
      )}
      {card.metric !== '' && (
        <text className="sb-NodeMetric" x={NODE.width - 10} y={57} textAnchor="end">
          {fit(card.metric, INNER * room - 8, SMALL)}
        </text>
      )}
    </>
  );
}

/** The time since the start, counted on every second. */
function Running(props: { since: number; usual: number | null }): React.JSX.Element {
  const now = useNow(1);
  return (
    <text className="sb-NodeDetail" x={LEFT} y={57}>
      {fit(elapsed(now - props.since, props.usual), INNER, SMALL)}
    </text>
  );
}
