/**
 * Task definitions: the code side of a task.
 */

import { checkGroup, checkLabel, checkMembers, invalid } from './check.js';
import type { Headers } from './headers.js';
import {
  type ContextOf,
  type Middleware,
  type RunMiddleware,
  readMiddleware,
} from './middleware.js';
import { type Policies, policyNames, type ResolvedPolicies, resolvePolicies } from './policies.js';
import { show } from './show.js';

/** The result of a schema: the value, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The part of a Standard Schema (https://standardschema.dev) in use here. Zod, Valibot, ArkType and others have it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The argument of a handler. */
export interface RunContext<Payload = unknown, Context extends object = object> {
  /** The payload as the schema parsed it just now. */
  readonly payload: Payload;
  /** The occurrence that this run is for: its time on the schedule, not the time at which it runs. */
  readonly nominal: Date;
  /** 1 for the first attempt of this occurrence. */
  readonly attempt: number;
  /**
   * The fencing token: it grows with each claim of this task. Send it with writes to systems that can refuse a smaller
   * one. Then a run that lost its lease without noticing does no harm.
   */
  readonly token: number;
  /**
   * Aborted when the lease is lost, when the run is cancelled, times out or is replaced, and when the scheduler stops
   * and its deadline has passed. `signal.reason` is a `SchedError` that says which.
   */
  readonly signal: AbortSignal;
  /** What travelled with the task from the call that scheduled it. */
  readonly headers: Headers;
  /** What middleware has built: a database handle, a logger. */
  readonly context: Context;
  /**
   * Tells how far the run has come, from 0 to 1. Others see it in the task about a second later while it runs, and in
   * its history afterwards. Nothing is to be relied on: it may be lost.
   *
   * @throws SchedError `SCHED_ARGUMENT_INVALID`
   */
  progress(fraction: number): void;
  /**
   * Adds a line to the log of the run, which is seen as its progress is. The last 20 lines are kept, of 500 characters at
   * most each.
   *
   * @throws SchedError `SCHED_ARGUMENT_INVALID`
   */
  log(line: string): void;
  /** The task that is running. */
  readonly task: {
    readonly id: string;
    readonly name: string;
    readonly queue: string;
    readonly group: string | null;
  };
}

/** Options of {@link defineTask}. The policies are defaults: `schedule` may override each. */
export interface TaskOptions<
  Input,
  Output,
  Use extends readonly (Middleware | RunMiddleware)[] = [],
> extends Policies {
  /** Checks payloads when they are scheduled, and parses them for the handler. */
  readonly payload?: StandardSchema<Input, Output>;
  /**
   * Does the work. May be asynchronous. The run succeeds when the handler returns, and fails when it throws. May be
   * absent in a process that only schedules.
   */
  readonly handler?: (run: RunContext<Output, ContextOf<Use>>) => unknown;
  /** What surrounds its runs, within what the scheduler uses, and what its handler finds in `context`. */
  readonly use?: Use;
  /** The queue of its tasks. Default `default`. */
  readonly queue?: string;
  /** The group of its tasks. Default none. */
  readonly group?: string;
}

/** A named kind of work. Made by {@link defineTask}. */
export interface TaskDefinition<Input = unknown, Output = Input> {
  readonly name: string;
  readonly schema: StandardSchema<Input, Output> | undefined;
  readonly queue: string;
  readonly group: string | null;
  readonly policies: Partial<ResolvedPolicies>;
  readonly hasHandler: boolean;
  readonly middleware: readonly Middleware[];
  /** Calls the handler. */
  run(context: RunContext<Output>): unknown;
  /** Never present. Only carries the payload's types. */
  readonly types?: { readonly input: Input; readonly output: Output };
}

/** Throw this in a handler to fail the run without further attempts. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
  /** The worker checks only this member, so any error that has it is permanent. */
  readonly permanent = true;
}

/**
 * Defines a task: its name, its payload, its handler, and the policies of its runs.
 *
 * Every stored task holds the name, by which any process that runs it finds the definition. So renaming a definition
 * orphans its stored tasks.
 *
 * @typeParam Output the payload that the handler gets. Follows from the schema; without one, write
 *   `defineTask<Mail>(…)`. Default: no payload
 * @typeParam Input the payload that `schedule` takes, before the schema parses it
 * @typeParam Use the middleware in `use`: from it follows the type of the handler's `context`
 * @throws SchedError `SCHED_ARGUMENT_INVALID` or `SCHED_DURATION_INVALID` when the name or an option is not valid
 */
export function defineTask<
  Output = void,
  Input = Output,
  const Use extends readonly (Middleware | RunMiddleware)[] = readonly (
    | Middleware
    | RunMiddleware
  )[],
>(name: string, options: TaskOptions<Input, Output, Use> = {}): TaskDefinition<Input, Output> {
  checkLabel('The name of a task', name);
  const given = checkMembers(`The options of ${show(name)} in defineTask`, options, [
    'payload',
    'handler',
    'use',
    'queue',
    'group',
    ...policyNames,
  ]);
  const { payload, handler, use = [], queue = 'default', group, ...policies } = given;
  if (handler !== undefined && typeof handler !== 'function') {
    throw invalid(`handler of ${show(name)}`, handler, 'a function');
  }
  if (payload !== undefined && typeof payload?.['~standard']?.validate !== 'function') {
    throw invalid(`payload of ${show(name)}`, payload, 'a Standard Schema, as Zod or Valibot make');
  }
  if (!Array.isArray(use)) throw invalid(`use of ${show(name)}`, use, 'a list of middleware');
  checkLabel('queue', queue);
  if (group !== undefined) checkGroup(group);
  return {
    name,
    schema: payload,
    queue,
    group: group ?? null,
    policies: resolvePolicies(policies),
    hasHandler: handler !== undefined,
    middleware: use.map((each) => readMiddleware(`The middleware of ${show(name)}`, each, true)),
    // The scheduler that calls it has built the context of exactly this middleware.
    run: (context) => handler?.(context as RunContext<Output, ContextOf<Use>>),
  };
}
