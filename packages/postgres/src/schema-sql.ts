import type { SchemaSql } from '@sched/core/adapter';
import { checkName, checkSqlName } from '@sched/core/adapter';
import { steps } from './schema.js';

/**
 * What a database needs whose users may not create anything: for whoever may. Stores are then opened with
 * `migrate: false`.
 *
 * @param options.schema and `options.namespace`: as for the store
 * @param options.user the one who is granted something. Default `sched`
 * @throws SchedError `SCHED_STORE_CONFIG` when one of them cannot be
 */
export function schemaSql(
  options: { readonly schema?: string; readonly namespace?: string; readonly user?: string } = {},
): SchemaSql {
  const { schema = 'public', namespace = 'sched', user = 'sched' } = options;
  checkSqlName('schema', schema);
  checkSqlName('namespace', namespace);
  checkName('user', user, /^[^"\p{Cc}]{1,63}$/u, '1 to 63 characters without quotes');
  const p = `"${schema}".${namespace}`;
  const grant = (what: string) => `GRANT ${what} TO "${user}"`;
  const enter = [grant(`USAGE ON SCHEMA "${schema}"`), grant(`SELECT ON ${p}_meta`)];
  const number = grant(`USAGE ON SEQUENCE ${p}_counter`);
  const change = (...tables: readonly string[]) =>
    tables.map((table) => grant(`SELECT, INSERT, UPDATE, DELETE ON ${p}_${table}`));
  const look = (...tables: readonly string[]) =>
    tables.map((table) => grant(`SELECT ON ${p}_${table}`));
  return {
    create: ['BEGIN', `CREATE SCHEMA IF NOT EXISTS "${schema}"`, ...steps(p, namespace), 'COMMIT'],
    grants: {
      work: [...enter, number, ...change('tasks', 'history')],
      schedule: [...enter, number, ...change('tasks'), ...look('history')],
      read: [...enter, ...look('tasks', 'history')],
    },
  };
}
