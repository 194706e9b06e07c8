/** Changes that users make to stored tasks. */

import { checkGroup, checkLabel, checkMembers } from './check.js';
import type { TaskRecord } from './data-store.js';
import { type Change, type DeclarationContext, definitionOf, withTrigger } from './declaration.js';
import { checkPayload, encodePayload, type StoredPayload } from './payload.js';
import { checkTogether, type Policies, policyNames, resolvePolicies } from './policies.js';
import { type TaskBody, writeBody } from './record.js';
import { readWhen, triggerOf, type When, whenNames } from './when.js';

/** The changes to a task. Absent members stay as they are. */
export interface TaskChanges extends When, Policies {
  readonly payload?: unknown;
  readonly queue?: string;
  readonly group?: string | null;
}

const ownNames = ['payload', 'queue', 'group'] satisfies readonly (keyof TaskChanges)[];

/**
 * Checks changes, and returns the function that applies them to a record.
 *
 * @throws SchedError when anything is not valid
 */
export function editorOf(id: string, changes: TaskChanges, context: DeclarationContext) {
  const { queue, group } = checkMembers('The changes of a task', changes, [
    ...ownNames,
    ...whenNames,
    ...policyNames,
  ]);
  const timing = readWhen(changes, context.triggers);
  const policies = resolvePolicies(changes);
  if (queue !== undefined) checkLabel('queue', queue);
  if (group !== undefined && group !== null) checkGroup(group);
  const encoded = 'payload' in changes ? encoderOf(id, changes.payload, context) : undefined;

  return async (record: TaskRecord, body: TaskBody, now: number): Promise<Change> => {
    let next: TaskBody = { ...body };
    let change: Change = {};
    if (timing) {
      const { body: changed, ...rest } = withTrigger(body, id, triggerOf(timing, now), now);
      next = changed;
      change = rest;
    }
    if (encoded) {
      const { payload: _payload, encoded: _encoded, ...rest } = next;
      const definition = definitionOf(record.name, context);
      const payload = await encoded(definition.schema !== undefined);
      await checkPayload(definition, payload, context.codec);
      next = { ...rest, ...payload };
    }
    if (Object.keys(policies).length > 0) {
      next = { ...next, policies: { ...next.policies, ...policies } };
      const definition = context.definitions.get(record.name);
      checkTogether({ ...definition?.policies, ...next.policies });
    }
    return {
      ...change,
      ...(queue !== undefined && { queue }),
      ...(group !== undefined && { group }),
      body: writeBody(next),
    };
  };
}

/**
 * Encodes a payload at once, because the caller may change it afterwards. Tries it with and without a schema, because
 * only the record says which definition the task has.
 */
function encoderOf(
  id: string,
  payload: unknown,
  { codec, maxPayloadBytes }: DeclarationContext,
): (hasSchema: boolean) => StoredPayload | PromiseLike<StoredPayload> {
  const attempt = (hasSchema: boolean) => {
    try {
      const stored = encodePayload(id, hasSchema, payload, codec, maxPayloadBytes);
      return () => stored;
    } catch (error) {
      return (): never => {
        throw error;
      };
    }
  };
  const ways = { withSchema: attempt(true), without: attempt(false) };
  return (hasSchema) => (hasSchema ? ways.withSchema() : ways.without());
}
