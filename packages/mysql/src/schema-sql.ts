import type { SchemaSql } from '@sched/core/adapter';
import { checkName, checkSqlName } from '@sched/core/adapter';
import { statements, textOptions } from './schema.js';

/**
 * What a database needs whose users may not create anything: for whoever may, with that database selected. Stores are
 * then opened with `migrate: false`.
 *
 * @param options.namespace as for the store
 * @param options.user the one who is granted something, such as `app` or `app@10.%`. Default `sched`
 * @param options.server default `MySQL`
 * @throws SchedError `SCHED_STORE_CONFIG` when one of them cannot be
 */
export function schemaSql(
  options: {
    readonly namespace?: string;
    readonly user?: string;
    readonly server?: 'MySQL' | 'MariaDB';
  } = {},
): SchemaSql {
  const { namespace: p = 'sched', user = 'sched', server = 'MySQL' } = options;
  checkSqlName('namespace', p);
  const form = '1 to 80 characters without quotes, and maybe @ and a host';
  checkName('user', user, /^[^'"\\`@\p{Cc}]{1,80}(@[^'"\\`@\p{Cc}]{1,255})?$/u, form);
  checkName('server', server, /^(MySQL|MariaDB)$/, 'MySQL or MariaDB');
  const [name, host = '%'] = user.split('@');
  const grant = (what: string, ...tables: readonly string[]) =>
    tables.map((table) => `GRANT ${what} ON ${p}_${table} TO '${name}'@'${host}'`);
  const change = 'SELECT, INSERT, UPDATE, DELETE';
  return {
    create: statements(p, textOptions[server]),
    grants: {
      work: [...grant('SELECT', 'meta'), ...grant(change, 'counter', 'tasks', 'history')],
      schedule: [...grant('SELECT', 'meta', 'history'), ...grant(change, 'counter', 'tasks')],
      read: grant('SELECT', 'meta', 'tasks', 'history'),
    },
  };
}
