// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type IncidentAction = 'ack' | 'note' | 'close';

/**
 * What a person said.
 */
export interface IncidentWord {
  readonly at: number;
  readonly by: string;
  readonly text: string;
}

/**
 * What is wrong with a stage, an output, a schedule or a run as a whole, which
 * `name` names. `run` opened it, and it was seen in `runs` of them, `last_run`
 * the latest; of a schedule both are empty. `is_severe`: somebody has to do
 * something at once. `closed` is null while it is open; it was closed by a
 * person, or by health, seen in `closed_run`, or by no run, and then `over`
 * says what became of it. `acks` says who has seen it.
 */
export interface Incident {
  readonly id: string;
  readonly name: string;
  readonly is_severe: boolean;
  readonly pipeline: string;
  readonly kind: string;
  readonly subject: string;
  readonly stage: string;
  readonly message: string;
  readonly run: string;
  readonly opened: number;
  readonly last_run: string;
  readonly last_seen: number;
  readonly runs: number;
  readonly closed: number | null;
  readonly closed_by: string;
  readonly closed_run: string;
  readonly because: string;
  readonly over: string;
  readonly acks: readonly IncidentWord[];
  readonly notes: readonly IncidentWord[];
}

/**
 * The incidents of an environment: those that are open, and the latest that
 * were closed; `older` closed ones are not among them. `opens`: whether what
 * fails there opens any.
 */
export interface IncidentsReply {
  readonly environment: string;
  readonly environments: readonly string[];
  readonly opens: boolean;
  readonly incidents: readonly Incident[];
  readonly older: number;
}

/**
 * Something that happened to an incident: `what`, by a person or, where `by`
 * is empty, by a run.
 */
export interface IncidentChange {
  readonly at: number;
  readonly what: string;
  readonly run: string;
  readonly by: string;
  readonly text: string;
}

/**
 * An incident, and all that happened to it, in order.
 */
export interface IncidentReply {
  readonly incident: Incident;
  readonly changes: readonly IncidentChange[];
}

/**
 * How many incidents are open, by environment; those without any are left out.
 */
export interface OpenIncidentsReply {
  readonly open: Readonly<Record<string, number>>;
}

/**
 * Acknowledges an incident, notes something on it, or closes it.
 */
export interface IncidentRequest {
  readonly action: IncidentAction;
  readonly text?: string;
  readonly environment?: string;
  readonly project?: string;
}
