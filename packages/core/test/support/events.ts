import type { Scheduler, SchedulerEvents } from '../../src/index.js';

type Named = {
  [K in keyof SchedulerEvents]: { readonly type: K } & SchedulerEvents[K];
}[keyof SchedulerEvents];

/** What a scheduler has told its listeners so far. */
export interface EventLog {
  readonly all: readonly Named[];
  of<K extends keyof SchedulerEvents>(type: K): SchedulerEvents[K][];
  types(): string[];
  clear(): void;
}

export function logEvents(scheduler: Scheduler): EventLog {
  const all: Named[] = [];
  scheduler.onAny((type, event) => all.push({ type, ...event } as Named));
  return {
    all,
    of: <K extends keyof SchedulerEvents>(type: K) =>
      all.filter((event) => event.type === type) as unknown as SchedulerEvents[K][],
    types: () => all.map(({ type }) => type),
    clear: () => all.splice(0),
  };
}
