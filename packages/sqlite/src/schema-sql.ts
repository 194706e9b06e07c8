import type { SchemaSql } from '@sched/core/adapter';
import { tablePrefixOf } from './options.js';
import { steps } from './schema.js';

/**
 * What creates the tables in a file. Stores may then be opened with `migrate: false`. SQLite grants nothing: who may
 * write the file may do everything.
 *
 * @param options.namespace as for the store
 * @throws SchedError `SCHED_STORE_CONFIG` when it cannot be
 */
export function schemaSql(options: { readonly namespace?: string } = {}): SchemaSql {
  const { namespace = 'sched' } = options;
  const create = [
    'PRAGMA journal_mode = WAL',
    'BEGIN',
    ...steps(tablePrefixOf(namespace)),
    'COMMIT',
  ];
  return { create, grants: { work: [], schedule: [], read: [] } };
}
