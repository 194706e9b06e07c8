import type { TaskInfo } from '@sched/core';
import { withoutSecrets } from './problem.js';

/** What failed tasks have in common: the definition, and the error but for what differs from task to task. */
export interface FailureKind {
  readonly key: string;
  readonly name: string;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string };
}

/** The kind of failure that a task ended with. */
export function failureOf({ name, lastRun }: TaskInfo): FailureKind {
  const error = lastRun?.error ?? { name: 'Error', message: 'The error is not known.' };
  const { message, ...rest } = error;
  const common = { ...rest, message: withoutDetails(withoutSecrets(message)) };
  return {
    key: JSON.stringify([name, rest.name, rest.code ?? null, common.message]),
    name,
    error: common,
  };
}

/** A message without ids, numbers and quoted texts, in which two failures of one kind differ. */
function withoutDetails(message: string): string {
  return message
    .slice(0, 500)
    .replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi, '…')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '…')
    .replace(/\b(?:0x)?[0-9a-f]+\b/gi, (word) => (/\d/.test(word) ? '…' : word))
    .slice(0, 200);
}
