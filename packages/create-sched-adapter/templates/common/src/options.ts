import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';

export interface AcmeDataStoreOptions extends DataStoreOptions {
  /** Where the tasks are. */
  readonly url: string;
}

const defaults = { clock: Date.now, historyLimit: 100, historyMaxAgeMs: 7 * 86_400_000 };

/**
 * Checks the options and puts the defaults in place. No message shows a value that may hold a password.
 *
 * @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be
 */
export function readOptions(options: AcmeDataStoreOptions): Required<AcmeDataStoreOptions> {
  const known = ['url', ...Object.keys(defaults)];
  checkMembers('The options of AcmeDataStore', options, known, 'SCHED_STORE_CONFIG');
  const settings = { ...defaults, ...options };
  const check = (holds: boolean, sentence: string) => {
    if (!holds) throw new SchedError('SCHED_STORE_CONFIG', sentence);
  };
  check(URL.canParse(settings.url), 'url must be a URL, such as acme://localhost/tasks.');
  check(settings.historyLimit >= 0, 'historyLimit must be a number of at least 0.');
  check(settings.historyMaxAgeMs >= 1, 'historyMaxAgeMs must be a number of at least 1.');
  return settings;
}
