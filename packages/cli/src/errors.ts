import { isSchedError, type SchedErrorCode } from '@sched/core';

/** What the process ends with. They are part of the public interface. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** Something that whoever typed the command has to put right. Nothing has been changed. */
export class UsageError extends Error {}

/** A command that could not do what it was asked. */
export class Failure extends Error {
  readonly code: SchedErrorCode | undefined;

  constructor(message: string, options: { cause?: unknown; code?: SchedErrorCode } = {}) {
    super(message, { cause: options.cause });
    this.code = options.code;
  }
}

/** What is wrong with something that was typed, rather than with a store or a task. */
const typed: ReadonlySet<SchedErrorCode> = new Set([
  'SCHED_ARGUMENT_INVALID',
  'SCHED_ID_INVALID',
  'SCHED_TIME_INVALID',
  'SCHED_DURATION_INVALID',
  'SCHED_TIME_ZONE_UNKNOWN',
  'SCHED_TRIGGER_INVALID',
  'SCHED_TRIGGER_UNKNOWN',
  'SCHED_TRIGGER_NEVER',
  'SCHED_CRON_SYNTAX',
  'SCHED_CRON_RANGE',
  'SCHED_CRON_UNSUPPORTED',
  'SCHED_PAYLOAD_INVALID',
]);

/** What is said of an error, and what the process ends with. */
export function explain(error: unknown): { code?: string; message: string; exitCode: number } {
  if (error instanceof UsageError) return { message: error.message, exitCode: exitCodes.usage };
  if (error instanceof Failure || isSchedError(error)) {
    const { code, message } = error;
    const exitCode = code && typed.has(code) ? exitCodes.usage : exitCodes.failed;
    return { ...(code && { code }), message, exitCode };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { message, exitCode: exitCodes.failed };
}
