/**
 * Writes payloads to the store and reads them back.
 *
 * Checks a payload in the form in which it will come back: encodes it, decodes it, and only then validates it. So a
 * payload that passes means the same to the handler, in another process and next month.
 */

import { SchedError } from './errors.js';
import { isPromise } from './promises.js';
import { describeError, type TaskBody } from './record.js';
import { show } from './show.js';
import type { SchemaResult, StandardSchema, TaskDefinition } from './task.js';
import type { Json } from './trigger.js';

/** Replaces the encoding of payloads: for rich types, compression or encryption. */
export interface PayloadCodec {
  /** Stored with each payload, so that a payload is never read with the wrong codec. */
  readonly name: string;
  /**
   * What `encode` is given and `decode` gives back: the payload itself, or its JSON, which is checked as without a codec.
   * Default `payload`.
   */
  readonly input?: 'payload' | 'json';
  /** May be asynchronous. Then it has to read the payload before it first waits: the caller may change it afterwards. */
  encode(payload: unknown): string | PromiseLike<string>;
  /** May be asynchronous. */
  decode(text: string): unknown;
}

/** The members of a task's body that hold its payload. */
export type StoredPayload = Pick<TaskBody, 'payload' | 'encoded'>;

/** How deep a payload may be nested: far deeper than anyone needs, but not deep enough to overflow a stack. */
const maxDepth = 500;

/**
 * Makes the stored form of a payload. Has read the payload when it returns, so that later changes by the caller have no
 * effect.
 *
 * @param of the name of the task, for messages
 * @param hasSchema whether a schema decides how objects may be written
 * @returns a promise only if the codec is asynchronous. It need not be waited for: its rejection is no unhandled one
 * @throws SchedError `SCHED_PAYLOAD_NOT_JSON`, `SCHED_PAYLOAD_TOO_LARGE`, or `SCHED_PAYLOAD_INVALID` when the codec
 *   cannot encode it
 */
export function encodePayload(
  of: string,
  hasSchema: boolean,
  payload: unknown,
  codec: PayloadCodec | undefined,
  maxBytes: number,
): StoredPayload | PromiseLike<StoredPayload> {
  if (payload === undefined) return {};
  if (!codec) {
    const text = toJson(of, payload, hasSchema);
    checkSize(of, text, maxBytes);
    return { payload: JSON.parse(text) as Json };
  }
  const input = codec.input === 'json' ? toJson(of, payload, hasSchema) : payload;
  const store = (text: string): StoredPayload => {
    checkSize(of, text, maxBytes);
    return { encoded: { codec: codec.name, text } };
  };
  const text = encodeBy(codec, of, input);
  if (!isPromise(text)) return store(text);
  const stored = text.then(store);
  stored.then(undefined, () => {});
  return stored;
}

function checkSize(of: string, text: string, maxBytes: number): void {
  // A UTF-16 unit takes at most three bytes, so most payloads need no counting.
  const bytes = text.length * 3 <= maxBytes ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= maxBytes) return;
  throw new SchedError(
    'SCHED_PAYLOAD_TOO_LARGE',
    `The payload of ${of} has ${bytes} bytes, more than maxPayloadBytes (${maxBytes}). Store it elsewhere and schedule a reference to it.`,
    { details: { bytes, maxBytes } },
  );
}

/**
 * Checks a payload against the task's schema, in the form in which it will come back.
 *
 * @throws SchedError `SCHED_PAYLOAD_INVALID`
 */
export async function checkPayload(
  task: TaskDefinition,
  stored: StoredPayload,
  codec: PayloadCodec | undefined,
): Promise<void> {
  const value = readPayload(stored, codec);
  await parsePayload(task, isPromise(value) ? await value : value);
}

/** A copy of a payload that no codec has encoded. The handler may change it. */
export function copyJson(json: Json | undefined): Json | undefined {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(copyJson) as Json[];
  // The spread also copies a member named `__proto__`, and a later assignment finds it.
  const copy: Record<string, Json> = { ...(json as Readonly<Record<string, Json>>) };
  for (const name of Object.keys(copy)) {
    const member = copy[name];
    if (typeof member === 'object' && member !== null) copy[name] = copyJson(member) as Json;
  }
  return copy;
}

/**
 * Reads a stored payload, without validation.
 *
 * @returns a promise only if the codec is asynchronous
 * @throws SchedError `SCHED_RECORD_UNREADABLE` when it was encoded by another codec, or this one cannot decode it
 */
export function readPayload(
  { encoded, payload }: StoredPayload,
  codec: PayloadCodec | undefined,
): unknown {
  if (!encoded) return payload;
  if (encoded.codec !== codec?.name) {
    throw new SchedError(
      'SCHED_RECORD_UNREADABLE',
      `The payload was encoded by the codec "${encoded.codec}". Give createScheduler that codec.`,
    );
  }
  try {
    const decoded = codec.decode(encoded.text);
    if (!isPromise(decoded)) return outputOf(codec, decoded);
    return decoded
      .then((value) => outputOf(codec, value))
      .then(undefined, (cause) => {
        throw undecodable(codec, cause);
      });
  } catch (cause) {
    throw undecodable(codec, cause);
  }
}

function outputOf(codec: PayloadCodec, decoded: unknown): unknown {
  return codec.input === 'json' ? JSON.parse(decoded as string) : decoded;
}

function undecodable({ name }: PayloadCodec, cause: unknown): SchedError {
  return new SchedError(
    'SCHED_RECORD_UNREADABLE',
    `The codec "${name}" cannot decode the payload: ${describeError(cause).message}`,
    { cause },
  );
}

function encodeBy(
  codec: PayloadCodec,
  taskName: string,
  input: unknown,
): string | PromiseLike<string> {
  const refuse = (cause: unknown, fault = describeError(cause).message): never => {
    throw new SchedError(
      'SCHED_PAYLOAD_INVALID',
      `The codec "${codec.name}" cannot encode the payload of ${taskName}: ${fault}`,
      { cause },
    );
  };
  let text: unknown;
  try {
    text = codec.encode(input);
  } catch (error) {
    return refuse(error);
  }
  const check = (given: unknown): string =>
    typeof given === 'string' ? given : refuse(undefined, `it gave ${show(given)} instead of text`);
  return isPromise(text) ? text.then(check, (error) => refuse(error)) : check(text);
}

/**
 * Parses a payload by the task's schema, if it has one.
 *
 * @throws SchedError `SCHED_PAYLOAD_INVALID` when the schema refuses it
 */
export async function parsePayload(task: TaskDefinition, value: unknown): Promise<unknown> {
  const schema: StandardSchema | undefined = task.schema;
  if (!schema) return value;
  const refusal = `The payload of ${task.name}, as it is stored, does not satisfy the task's schema`;
  let result: SchemaResult<unknown>;
  try {
    result = await schema['~standard'].validate(value);
  } catch (cause) {
    throw new SchedError('SCHED_PAYLOAD_INVALID', `${refusal}: ${describeError(cause).message}`, {
      cause,
    });
  }
  if (!result.issues) return result.value;
  const issues = result.issues.map(({ message, path }) => ({
    message,
    path: (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
  }));
  const texts = issues.map(({ message, path }) => (path === '' ? message : `${path}: ${message}`));
  throw new SchedError('SCHED_PAYLOAD_INVALID', `${refusal}: ${texts.join('; ')}.`, {
    details: { issues },
  });
}

/** Writes a value as JSON. Throws when this would lose anything. */
function toJson(taskName: string, payload: unknown, hasSchema: boolean): string {
  let fault: NonJson | undefined;
  let cause: unknown;
  try {
    fault = findNonJson(payload, [], hasSchema, new Set());
    if (!fault) return JSON.stringify(payload);
  } catch (error) {
    // Getters, proxies and toJSON methods may throw anything.
    cause = error;
    fault = { path: [], problem: `throws: ${describeError(error).message}` };
  }
  const path = fault.path.join('.');
  throw new SchedError(
    'SCHED_PAYLOAD_NOT_JSON',
    `The payload of ${taskName} cannot be stored as JSON: ${path === '' ? 'it' : shorten(path)} ${fault.problem}. Convert it first, or give createScheduler a codec.`,
    { cause, details: { path } },
  );
}

/** Shortens a long path to its end, which says most. */
function shorten(path: string): string {
  return path.length > 100 ? `…${path.slice(-100)}` : path;
}

/** What is wrong with a value, and the path to it from the payload. */
interface NonJson {
  readonly path: readonly string[];
  readonly problem: string;
}

/**
 * Finds the first part of a value that JSON cannot hold; undefined when there is none.
 *
 * With a schema, objects may be of any class and may have a `toJSON` method, as dates do: the schema decides whether
 * the result is right. Without a schema, only plain objects are allowed, because only they come back unchanged.
 */
function findNonJson(
  given: unknown,
  path: readonly string[],
  hasSchema: boolean,
  parents: Set<unknown>,
): NonJson | undefined {
  const value = hasSchema && writesItself(given) ? given.toJSON(path.at(-1) ?? '') : given;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : { path, problem: `is ${value}` };
  }
  if (typeof value !== 'object') {
    return { path, problem: value === undefined ? 'is undefined' : `is a ${typeof value}` };
  }
  if (parents.has(value)) return { path, problem: 'contains itself' };
  if (path.length >= maxDepth) return { path, problem: `is nested more than ${maxDepth} deep` };
  const isArray = Array.isArray(value);
  const members: [string, unknown][] = isArray
    ? Array.from(value, (element, index) => [String(index), element])
    : Object.entries(value);
  if (!hasSchema) {
    const fault = faultOf(value, members.length);
    if (fault !== undefined) return { path, problem: fault };
  }
  parents.add(value);
  for (const [key, member] of members) {
    // JSON leaves out an undefined member of an object. It reads back as undefined all the same.
    if (member === undefined && !isArray) continue;
    const fault = findNonJson(member, [...path, key], hasSchema, parents);
    if (fault) return fault;
  }
  parents.delete(value);
  return undefined;
}

/** What an object has besides its members that would not come back; undefined when nothing. */
function faultOf(value: object, size: number): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain =
    Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) {
    return `is not a plain object but a ${value.constructor?.name ?? 'class of its own'}`;
  }
  if (writesItself(value)) return 'has a toJSON method';
  if (Object.getOwnPropertySymbols(value).length > 0) return 'has a symbol for a key';
  return Object.keys(value).length > size ? 'has members beside its elements' : undefined;
}

function writesItself(value: unknown): value is { toJSON(key: string): unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { toJSON?: unknown }).toJSON === 'function'
  );
}
