import { checkMembers, type Scheduler, type TaskClient } from '@sched/core';
import * as v from 'valibot';
import type { AuditLog } from './audit.js';
import { assertMay, type Caller, type Right } from './caller.js';
import type { EventHub } from './event-hub.js';
import type { Limits } from './options.js';
import { refuse } from './problem.js';
import type { Redact } from './views.js';

/** What all routes share. */
export interface Context {
  readonly scheduler: Scheduler;
  readonly redact: Redact | undefined;
  readonly audit: AuditLog;
  readonly events: EventHub;
  readonly limits: Limits;
}

/** A schema of a query: one level of text, numbers and booleans. */
export type QuerySchema = v.StrictObjectSchema<v.ObjectEntries, undefined>;
/** A schema of a body. */
export type BodySchema = v.GenericSchema;

/** One request, checked. */
export interface Call<Query = unknown, Body = unknown> extends Context {
  readonly request: Request;
  readonly caller: Caller;
  /** The task in the path; empty where the path has none. */
  readonly id: string;
  readonly query: Query;
  readonly body: Body;
  /** The store that the request is about. */
  readonly client: TaskClient;
  readonly store: string | undefined;
  /** The name of the operation, for the audit log. */
  readonly operation: string;
  /** @throws SchedError `SCHED_FORBIDDEN` */
  assertMay(right: Right): void;
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** An operation of the API: how it is called, what it takes and gives, and what it does. */
export interface Route {
  readonly method: Method;
  /** Below the base path; `{id}` stands for the id of a task. */
  readonly path: string;
  /** Its `operationId` in the OpenAPI document. */
  readonly operation: string;
  readonly summary: string;
  readonly may: Right;
  readonly query: QuerySchema;
  readonly body: BodySchema | undefined;
  /** The answer; absent where it is no JSON. */
  readonly answer: v.GenericSchema | undefined;
  /** Answers the request: with a value that is sent as JSON, or a response. */
  handle(call: Call): Promise<unknown>;
}

interface RouteDraft<Q extends QuerySchema, B extends BodySchema, A extends v.GenericSchema>
  extends Pick<Route, 'method' | 'path' | 'operation' | 'summary' | 'may'> {
  readonly query: Q;
  readonly body?: B;
  readonly answer?: A;
  handle(call: Call<v.InferOutput<Q>, v.InferOutput<B>>): Promise<v.InferOutput<A> | Response>;
}

/** Makes a route whose handler has the types of its schemas. */
export function route<
  Q extends QuerySchema,
  B extends BodySchema = v.UndefinedSchema<undefined>,
  A extends v.GenericSchema = v.NeverSchema<undefined>,
>(draft: RouteDraft<Q, B, A>): Route {
  const { body, answer, handle } = draft;
  return { ...draft, body, answer, handle: handle as Route['handle'] };
}

/** What a request asks of a route. */
export interface RawCall {
  readonly request: Request;
  readonly caller: Caller;
  readonly id: string;
  readonly params: URLSearchParams;
  readonly body: unknown;
}

/** Checks a request by the schemas of its route, and answers it. */
export async function call(route: Route, context: Context, raw: RawCall): Promise<unknown> {
  const { request, caller, id } = raw;
  const query = checked('The query', route.query, readQuery(route.query, raw.params));
  const body = route.body && checked('The body', route.body, raw.body);
  if (!route.body && raw.body !== undefined) {
    throw refuse('SCHED_REQUEST_INVALID', 'This request takes no body.');
  }
  const { store } = query as { readonly store?: string };
  return route.handle({
    ...context,
    ...{ request, caller, id, query, body, store },
    client: store === undefined ? context.scheduler : context.scheduler.store(store),
    operation: route.operation,
    assertMay: (right) => assertMay(caller, right),
  });
}

/** Turns the texts of a query into what its schema takes. */
function readQuery({ entries }: QuerySchema, params: URLSearchParams): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  for (const name of new Set(params.keys())) {
    const [text = '', ...others] = params.getAll(name);
    if (others.length > 0) {
      throw refuse(
        'SCHED_ARGUMENT_INVALID',
        `The query has ${JSON.stringify(name)} more than once.`,
      );
    }
    const kind = Object.hasOwn(entries, name) ? kindOf(entries[name]) : undefined;
    if (kind === 'number' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text);
    else if (kind === 'boolean' && /^(?:true|false)$/.test(text)) query[name] = text === 'true';
    // Defined, not assigned: a member may be called __proto__.
    else Object.defineProperty(query, name, { value: text, enumerable: true, configurable: true });
  }
  return query;
}

/** The kind of value that a schema takes, where it is optional or has further checks. */
function kindOf(schema: unknown): string {
  const { type, wrapped } = schema as { readonly type: string; readonly wrapped?: unknown };
  return wrapped === undefined ? type : kindOf(wrapped);
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID`, whose details name each fault and where it is */
function checked(what: string, schema: v.GenericSchema, value: unknown): unknown {
  // Says what a misspelt member was probably meant to be.
  if ('entries' in schema && value !== undefined) {
    checkMembers(what, value, Object.keys(schema.entries as object));
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issues = result.issues.slice(0, 20).map((issue) => ({
    path: v.getDotPath(issue) ?? '',
    message: issue.message.slice(0, 300),
  }));
  const texts = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  throw refuse('SCHED_ARGUMENT_INVALID', `${what} is not as it should be: ${texts.join('; ')}.`, {
    details: { issues },
  });
}
