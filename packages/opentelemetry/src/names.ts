/** The name of the instrumentation. */
export const scope = '@sched/opentelemetry';

/**
 * Attributes by the semantic conventions for messaging.
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
export const attribute = {
  system: 'messaging.system',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  messageId: 'messaging.message.id',
  batchSize: 'messaging.batch.message_count',
  errorType: 'error.type',
  task: 'sched.task.name',
  store: 'sched.store',
  attempt: 'sched.attempt',
  nominal: 'sched.nominal',
  outcome: 'sched.outcome',
  reason: 'sched.skip.reason',
  state: 'sched.task.state',
  call: 'sched.store.call',
} as const;

export const system = 'sched';

/** The bounds of histograms of seconds, as the semantic conventions advise. */
export const secondsBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 3600,
];

/** What an error is called in attributes: its code, which there are few of, or else its class. */
export function errorType(error: unknown): string {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : '_OTHER';
}
