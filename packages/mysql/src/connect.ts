import { importDriver } from '@sched/core';
import type { AtEnd } from '@sched/core/adapter';
import { checkServerVersion, checkSetting } from '@sched/core/adapter';
import type { MysqlConnection, MysqlPool } from './client.js';
import { storeError } from './errors.js';
import type { Settings } from './options.js';
import { migrate, textOptions } from './schema.js';
import { type Run, within } from './session.js';

/** Where an open store sends its statements. */
export interface Connected {
  readonly client: MysqlPool | MysqlConnection;
  readonly maxPacketBytes: number;
}

/** What the store's own connections are made with, unless the user says otherwise. */
const defaults = { connectTimeout: 10_000, enableKeepAlive: true, trace: false };

/** What the store's own connections are made with, whatever the user says. */
const fixed = { charset: 'utf8mb4' };

/** The oldest servers that have all that is needed. */
const minimum = { MySQL: '8.0.19', MariaDB: '10.6.0' };

/** The least room for a statement that holds a few of the largest bodies that every store takes. */
export const minPacketBytes = 4 * 1024 * 1024;

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings, atEnd: AtEnd): Promise<Connected> {
  try {
    let client = settings.pool;
    if (!client) {
      const { createPool } = await importDriver('mysql2', () => import('mysql2/promise'));
      const pool = createPool({ ...defaults, ...settings.connection, ...fixed });
      atEnd(() => pool.end());
      client = pool;
    }
    const maxPacketBytes = await within(client, 'ROLLBACK', (run) => prepare(run, settings));
    return { client, maxPacketBytes };
  } catch (error) {
    throw storeError(error, settings.source);
  }
}

/** Makes sure of the server and of the schema. @returns how much the server takes at once */
async function prepare(run: Run, settings: Settings): Promise<number> {
  const { rows } = await run(
    `SELECT VERSION(), @@character_set_client, @@character_set_connection, @@character_set_results,
      @@autocommit, @@GLOBAL.read_only, @@max_allowed_packet, DATABASE() IS NULL`,
  );
  const [row = []] = rows;
  const [version, ...charsets] = row.slice(0, 4).map(String);
  const [autocommit, readOnly, maxPacketBytes = 0, isNowhere] = row.slice(4).map(Number);
  const title = /mariadb/i.test(version ?? '') ? 'MariaDB' : 'MySQL';
  // Before version 11 MariaDB may put another version before its own, for old replicas.
  const own = version?.replace(/^5\.5\.5-/, '') ?? '';
  checkServerVersion(title, own, minimum[title], '@sched/mysql');
  const demand = (condition: boolean, problem: string) =>
    checkSetting(condition, `${settings.source}: ${problem}`);
  demand(
    charsets.every((charset) => charset === 'utf8mb4'),
    `charset has to be utf8mb4, and these connections use ${charsets.join(', ')}.`,
  );
  demand(isNowhere === 0, 'No database is selected. Check database.');
  demand(autocommit === 1, 'the connections have autocommit off, and it has to be on.');
  demand(readOnly !== 1, 'this leads to a replica, or to a server that is read-only.');
  demand(
    maxPacketBytes >= minPacketBytes,
    `max_allowed_packet of the server is ${maxPacketBytes}, and has to be ${minPacketBytes} or more.`,
  );
  await migrate(run, settings, textOptions[title]);
  return maxPacketBytes;
}
