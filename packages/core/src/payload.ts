/**
 * Payloads on their way into the store and out of it.
 *
 * A payload is checked in the form in which it will come back: encoded, decoded, and only then validated. What passes
 * is sure to mean the same to the handler, in another process and next month.
 */

import { SchedError } from './errors.js';
import type { TaskBody } from './record.js';
import type { StandardSchema, TaskDefinition } from './task.js';
import type { Json } from './trigger.js';

/** Replaces the encoding of payloads: for rich types, compression or encryption. */
export interface PayloadCodec {
  /** Stored with each payload, so that a payload is never read with the wrong codec. */
  readonly name: string;
  encode(payload: unknown): string;
  decode(text: string): unknown;
}

/** Where a payload stands in the body of a task. */
export type StoredPayload = Pick<TaskBody, 'payload' | 'encoded'>;

/**
 * Checks a payload and gives what to store.
 *
 * @throws SchedError `SCHED_PAYLOAD_NOT_JSON`, `SCHED_PAYLOAD_INVALID` or `SCHED_PAYLOAD_TOO_LARGE`
 */
export async function encodePayload(
  task: TaskDefinition,
  payload: unknown,
  codec: PayloadCodec | undefined,
  maxBytes: number,
): Promise<StoredPayload> {
  if (payload === undefined) {
    await validate(task, undefined);
    return {};
  }
  const text = codec
    ? codec.encode(payload)
    : toJson(task.name, payload, task.schema !== undefined);
  // No character takes more than three bytes, so most payloads need no counting.
  const bytes = text.length * 3 <= maxBytes ? 0 : new TextEncoder().encode(text).length;
  if (bytes > maxBytes) {
    throw new SchedError(
      'SCHED_PAYLOAD_TOO_LARGE',
      `The payload of ${task.name} has ${bytes} bytes, more than maxPayloadBytes (${maxBytes}). Store it elsewhere and schedule a reference to it.`,
      { details: { bytes, maxBytes } },
    );
  }
  const stored: StoredPayload = codec
    ? { encoded: { codec: codec.name, text } }
    : { payload: JSON.parse(text) as Json };
  await validate(task, codec ? codec.decode(text) : stored.payload);
  return stored;
}

/**
 * Gives the payload that is stored in a body, as the handler is to see it.
 *
 * @throws SchedError `SCHED_PAYLOAD_INVALID` when the schema refuses it, `SCHED_RECORD_UNREADABLE` when it was
 *   encoded by another codec
 */
export async function decodePayload(
  task: TaskDefinition,
  stored: StoredPayload,
  codec: PayloadCodec | undefined,
): Promise<unknown> {
  return validate(task, readPayload(stored, codec));
}

/**
 * Gives the payload that is stored in a body, unvalidated.
 *
 * @throws SchedError `SCHED_RECORD_UNREADABLE` when it was encoded by another codec
 */
export function readPayload(
  { encoded, payload }: StoredPayload,
  codec: PayloadCodec | undefined,
): unknown {
  if (!encoded) return payload;
  if (encoded.codec === codec?.name) return codec.decode(encoded.text);
  throw new SchedError(
    'SCHED_RECORD_UNREADABLE',
    `The payload was encoded by the codec "${encoded.codec}". Give createScheduler that codec.`,
  );
}

async function validate(task: TaskDefinition, value: unknown): Promise<unknown> {
  const schema: StandardSchema | undefined = task.schema;
  if (!schema) return value;
  let result = schema['~standard'].validate(value);
  if (result instanceof Promise) result = await result;
  if (!result.issues) return result.value;
  const issues = result.issues.map(({ message, path }) => ({
    message,
    path: (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
  }));
  const texts = issues.map(({ message, path }) => (path === '' ? message : `${path}: ${message}`));
  throw new SchedError(
    'SCHED_PAYLOAD_INVALID',
    `The payload of ${task.name}, as it is stored, does not satisfy the task's schema: ${texts.join('; ')}.`,
    { details: { issues } },
  );
}

/** JSON text of a value, provided that nothing is lost by it. */
function toJson(name: string, payload: unknown, hasSchema: boolean): string {
  try {
    const problem = findNonJson(payload, '', hasSchema, new Set());
    if (problem) {
      throw new SchedError(
        'SCHED_PAYLOAD_NOT_JSON',
        `The payload of ${name} cannot be stored as JSON: ${problem}. Convert it first, or give createScheduler a codec.`,
      );
    }
    return JSON.stringify(payload);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SchedError('SCHED_PAYLOAD_NOT_JSON', `The payload of ${name} is nested too deeply.`, {
      cause: error,
    });
  }
}

/**
 * Says what in a value JSON cannot hold, and where; undefined when it can hold everything.
 *
 * With a schema, objects may say themselves how they are written (`toJSON`, as dates do) and may be of any class: the
 * schema decides whether what comes back is what it wants. Without one, only plain objects come back as they were.
 */
function findNonJson(
  value: unknown,
  path: string,
  hasSchema: boolean,
  parents: Set<object>,
): string | undefined {
  const where = path === '' ? 'it' : path.slice(1);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : `${where} is ${value}`;
    case 'object':
      break;
    default:
      return `${where} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
  }
  if (value === null) return undefined;
  if (parents.has(value)) return `${where} contains itself`;
  parents.add(value);
  try {
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const problem = findNonJson(value[i], `${path}.${i}`, hasSchema, parents);
        if (problem) return problem;
      }
      return undefined;
    }
    if (hasSchema && typeof (value as { toJSON?: unknown }).toJSON === 'function') {
      const written: unknown = (value as { toJSON(): unknown }).toJSON();
      return findNonJson(written, path, hasSchema, parents);
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (!hasSchema && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      return `${where} is not a plain object but a ${value.constructor?.name ?? 'class of its own'}`;
    }
    for (const [key, member] of Object.entries(value)) {
      // An absent member and an undefined one mean the same to every reader of JSON.
      if (member === undefined) continue;
      const problem = findNonJson(member, `${path}.${key}`, hasSchema, parents);
      if (problem) return problem;
    }
    return undefined;
  } finally {
    parents.delete(value);
  }
}
