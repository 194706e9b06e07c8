import { SchedError } from '@sched/core';
import { isSchemaCurrent, schemaError } from '@sched/core/adapter';
import type { Settings } from './options.js';
import type { Run } from './session.js';

/** The version of the tables that this code works with. */
const schemaVersion = 1;

/** How long an opening store waits for another that is creating the tables. */
const migrationSeconds = 60;

/** How texts are kept, and compared: byte by byte, a trailing space included. */
export const textOptions = {
  MySQL: 'CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin',
  MariaDB: 'CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin',
};

/** What creates the tables. Each can be made again, and the version is written last. */
export function statements(p: string, text: string): readonly string[] {
  const options = `ENGINE = InnoDB ROW_FORMAT = DYNAMIC ${text}`;
  return [
    `CREATE TABLE IF NOT EXISTS ${p}_meta (name VARCHAR(20) NOT NULL PRIMARY KEY, value BIGINT NOT NULL)
     ENGINE = InnoDB ${text}`,
    `CREATE TABLE IF NOT EXISTS ${p}_counter (n BIGINT AUTO_INCREMENT PRIMARY KEY) ${options}`,
    `CREATE TABLE IF NOT EXISTS ${p}_tasks (
      id VARCHAR(300) NOT NULL PRIMARY KEY,
      name VARCHAR(255) NOT NULL DEFAULT '',
      queue VARCHAR(255) NOT NULL DEFAULT '',
      group_name VARCHAR(255),
      status ENUM('scheduled', 'finished', 'failed') NOT NULL,
      paused BOOLEAN NOT NULL,
      run_at BIGINT,
      resumed_at BIGINT,
      lease_token BIGINT,
      lease_owner VARCHAR(1000),
      lease_expires_at BIGINT,
      settled_token BIGINT,
      deliveries INT NOT NULL DEFAULT 0,
      revision BIGINT NOT NULL,
      wake_at BIGINT GENERATED ALWAYS AS (
        CASE WHEN status = 'scheduled' AND NOT paused THEN COALESCE(lease_expires_at, run_at) END
      ) STORED,
      body LONGTEXT NOT NULL,
      KEY ${p}_due (queue, wake_at),
      KEY ${p}_group (group_name, id)
    ) ${options}`,
    `CREATE TABLE IF NOT EXISTS ${p}_history (
      seq BIGINT AUTO_INCREMENT PRIMARY KEY,
      task_id VARCHAR(300) NOT NULL,
      id VARCHAR(400) NOT NULL,
      at BIGINT NOT NULL,
      body LONGTEXT NOT NULL,
      UNIQUE KEY ${p}_entry (task_id, id),
      KEY ${p}_newest (task_id, at, seq)
    ) ${options}`,
    `INSERT INTO ${p}_meta (name, value) VALUES ('schema', ${schemaVersion})
     ON DUPLICATE KEY UPDATE value = ${schemaVersion}`,
  ];
}

/**
 * Brings the tables to {@link schemaVersion}, or finds them there. A change of tables commits at once, so each
 * step can be made again, and the version is written last.
 *
 * @throws SchedError `SCHED_STORE_SCHEMA` when they are newer, or are not current and must not be changed
 */
export async function migrate(run: Run, settings: Settings, text: string): Promise<void> {
  if (await isCurrent(run, settings)) return;
  const name = `CONCAT('@sched/', SHA2(CONCAT(DATABASE(), '.${settings.namespace}'), 224))`;
  const { rows } = await run(`SELECT GET_LOCK(${name}, ${migrationSeconds})`);
  try {
    if (Number(rows[0]?.[0]) !== 1) {
      throw new SchedError(
        'SCHED_STORE_UNAVAILABLE',
        `Another process has been creating the tables ${settings.namespace}_* for ${migrationSeconds} seconds.`,
      );
    }
    if (await isCurrent(run, settings)) return;
    for (const sql of statements(settings.namespace, text)) await run(sql);
  } finally {
    await run(`DO RELEASE_LOCK(${name})`);
  }
}

async function isCurrent(run: Run, settings: Settings): Promise<boolean> {
  const { namespace: p } = settings;
  const count = (...names: readonly string[]) =>
    `(SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()
      AND table_name IN (${names.map((name) => `'${p}_${name}'`).join()}))`;
  const found = `SELECT ${count('meta')}, ${count('tasks', 'history', 'counter')}`;
  const [[meta, others] = []] = (await run(found)).rows;
  if (Number(meta) === 0 && Number(others) > 0) {
    throw schemaError(
      `There are tables whose names begin with ${p}_, and no ${p}_meta beside them: they are not those of @sched/mysql. Choose another namespace.`,
    );
  }
  let version = 0;
  if (Number(meta) > 0) {
    const sql = `SELECT MAX(value) FROM ${p}_meta WHERE name = 'schema'`;
    version = Number((await run(sql)).rows[0]?.[0] ?? 0);
  }
  return isSchemaCurrent({
    what: `The tables ${p}_*`,
    adapter: '@sched/mysql',
    found: version,
    known: schemaVersion,
    migrate: settings.migrate,
    settings: 'database and namespace',
  });
}
