import {
  allOf,
  anyOf,
  checkMembers,
  createScheduler,
  type DataStore,
  except,
  SchedError,
  type Scheduler,
} from '@sched/core';
import type { AuditSink } from './audit.js';
import type { Authorize } from './caller.js';
import type { Redact } from './views.js';

/** What one caller, or all of them, may take up. */
export interface Limits {
  /** The largest body, in bytes. Default 2 MiB. */
  readonly bodyBytes: number;
  /** How many changes one caller may make a minute. An action on many tasks is one. Default 120. */
  readonly changesPerMinute: number;
  /** How many tasks one action on many, or one answer about failures, goes by. Default 10,000. */
  readonly tasksPerRequest: number;
  /** How many event streams may be open. Default 200. */
  readonly streams: number;
  /** How many event streams one caller may have open. Default 20. */
  readonly streamsPerCaller: number;
  /** How many bytes may wait for a reader of a stream before it is dropped. Default 256 KiB. */
  readonly streamBytes: number;
  /** How long a stream may last before its reader has to connect, and be authorized, again. Default 15 minutes. */
  readonly streamMs: number;
}

const defaultLimits: Limits = {
  bodyBytes: 2 ** 21,
  changesPerMinute: 120,
  tasksPerRequest: 10_000,
  streams: 200,
  streamsPerCaller: 20,
  streamBytes: 2 ** 18,
  streamMs: 900_000,
};

/** Options of `createApi`. One of `scheduler` and `store` is needed. */
export interface ApiOptions {
  /** Whose tasks these are. It need not be started. Its definitions are those of which tasks can be created. */
  readonly scheduler?: Scheduler;
  /** Instead: the store of the tasks, or several by alias. Tasks can then be seen and changed, not created. */
  readonly store?: DataStore | Readonly<Record<string, DataStore>>;
  /**
   * Says who makes a request and what they may do. Without it nobody is served, except those who sit at this very
   * machine while `NODE_ENV` is not `production`.
   */
  readonly authorize?: Authorize;
  /** Where the API is mounted, such as `/sched`: the beginning of every path as this process sees it. Default none. */
  readonly basePath?: string;
  /** Changes payloads before anybody sees them. Where there is one, what handlers returned is not shown. */
  readonly redact?: Redact;
  /** Takes an entry for each change. Default: the console, a line of JSON each. */
  readonly audit?: AuditSink;
  /** Origins besides that of the API from which pages may make changes, such as `https://ops.example.com`. */
  readonly origins?: readonly string[];
  readonly limits?: Partial<Limits>;
}

/** The options, checked and complete. */
export interface Settings extends Pick<ApiOptions, 'authorize' | 'redact' | 'audit'> {
  readonly scheduler: Scheduler;
  readonly basePath: string;
  readonly origins: readonly string[];
  readonly limits: Limits;
  readonly isDevelopment: boolean;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` */
export function readOptions(options: ApiOptions): Settings {
  checkMembers('The options of createApi', options, [
    ...['scheduler', 'store', 'authorize', 'basePath', 'redact', 'audit', 'origins', 'limits'],
  ]);
  const { scheduler, store, authorize, redact, audit, basePath = '', origins = [] } = options;
  if ((scheduler === undefined) === (store === undefined)) {
    throw invalid('createApi needs one of scheduler and store.');
  }
  for (const [name, value] of Object.entries({ authorize, redact, audit })) {
    if (value !== undefined && typeof value !== 'function') {
      throw invalid(`${name} must be a function, not ${typeof value}.`);
    }
  }
  if (!/^(?:\/[\w.~-]+)*\/?$/.test(basePath)) {
    throw invalid(`basePath must be a path such as '/sched', not ${JSON.stringify(basePath)}.`);
  }
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw invalid(
        `origins has ${JSON.stringify(origin)}, which is not one such as 'https://ops.example.com'.`,
      );
    }
  }
  const given = checkMembers('limits', options.limits ?? {}, Object.keys(defaultLimits));
  const limits = { ...defaultLimits, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw invalid(`limits.${name} must be a whole number of at least 1, not ${value}.`);
    }
  }
  const isDevelopment = globalThis.process?.env.NODE_ENV !== 'production';
  if (!authorize) warn(isDevelopment);
  return {
    // What is only in the store has to be read back, whichever kinds of trigger it has.
    scheduler:
      scheduler ?? createScheduler({ store: store as DataStore, triggers: [anyOf, allOf, except] }),
    basePath: basePath.replace(/\/$/, ''),
    ...(authorize && { authorize }),
    ...(redact && { redact }),
    ...(audit && { audit }),
    ...{ origins, limits, isDevelopment },
  };
}

function warn(isDevelopment: boolean): void {
  const who = isDevelopment
    ? 'so it serves whoever sits at this machine, with all rights'
    : 'so it serves nobody';
  globalThis.process?.emitWarning?.(`createApi was given no authorize, ${who}.`, {
    type: 'SchedWarning',
    code: 'SCHED_UNAUTHENTICATED',
  });
}

function invalid(message: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', message);
}
