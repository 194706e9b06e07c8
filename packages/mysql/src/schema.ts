import { SchedError } from '@sched/core';
import { isSchemaCurrent, schemaError } from '@sched/core/adapter';
import type { MysqlConnection } from './client.js';
import type { Settings } from './options.js';
import type { Dialect } from './procedures.js';
import { dialects, procedures } from './procedures.js';
import { statement } from './session.js';

/** The version of the tables and procedures that this code works with. */
const schemaVersion = 1;

/** How long an opening store waits for another that is creating the tables. */
const migrationSeconds = 60;

/** What the server answers a user who lacks a privilege on the database. */
const accessDenied = 1044;
/** What the server answers where a procedure is to be made that is there already. */
const alreadyExists = 1304;

/** The tables but the first, in the order in which they are made. */
function tables(p: string, text: string): readonly string[] {
  const options = `ENGINE = InnoDB ROW_FORMAT = DYNAMIC ${text}`;
  return [
    `CREATE TABLE IF NOT EXISTS ${p}_counter (n BIGINT AUTO_INCREMENT PRIMARY KEY) ${options}`,
    `CREATE TABLE IF NOT EXISTS ${p}_tasks (
      id VARCHAR(300) NOT NULL PRIMARY KEY,
      name VARCHAR(255) NOT NULL,
      queue VARCHAR(255) NOT NULL,
      group_name VARCHAR(255),
      status VARCHAR(9) NOT NULL CHECK (status IN ('scheduled', 'finished', 'failed')),
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
      task_id VARCHAR(300) NOT NULL,
      id VARCHAR(400) NOT NULL,
      at BIGINT NOT NULL,
      seq BIGINT NOT NULL,
      body LONGTEXT NOT NULL,
      PRIMARY KEY (task_id, id),
      KEY ${p}_newest (task_id, at, seq),
      KEY ${p}_oldest (at)
    ) ${options}`,
  ];
}

/**
 * Brings tables and procedures to {@link schemaVersion}, or finds them there. A change of tables commits at once, so each
 * step can be made again, and the version is written last.
 *
 * @throws SchedError `SCHED_STORE_SCHEMA` when they are newer, or are not current and must not be changed
 */
export async function migrate(
  connection: MysqlConnection,
  settings: Settings,
  dialect: Dialect,
): Promise<void> {
  if (await isCurrent(connection, settings)) return;
  const run = (sql: string) => connection.query({ sql });
  const name = `CONCAT('@sched/', SHA2(CONCAT(DATABASE(), '.${settings.namespace}'), 224))`;
  const [[locked, mode]] = (await select(
    connection,
    `SELECT GET_LOCK(${name}, ${migrationSeconds}), @@SESSION.sql_mode`,
  )) as [[unknown, string]];
  try {
    if (Number(locked) !== 1) {
      throw new SchedError(
        'SCHED_STORE_UNAVAILABLE',
        `Another process has been creating the tables ${settings.namespace}_* for ${migrationSeconds} seconds.`,
      );
    }
    if (await isCurrent(connection, settings)) return;
    // Procedures keep the mode that they were made in.
    await run("SET SESSION sql_mode = 'STRICT_ALL_TABLES'");
    await create(run, settings.namespace, dialect);
  } finally {
    await run(`SET SESSION sql_mode = '${mode}'`);
    await run(`DO RELEASE_LOCK(${name})`);
  }
}

/** The server says who may not do it and where, and not what. Tables could be created by then. */
function withoutRoutines(cause: Error): SchedError {
  const [, user = 'the user', database = ''] =
    /user (\S+) to database '(.+?)'/.exec(cause.message) ?? [];
  return new SchedError(
    'SCHED_STORE_CONFIG',
    `${user} may not create procedures. GRANT CREATE ROUTINE, ALTER ROUTINE, EXECUTE ON \`${database}\`.* TO ${user}`,
    { cause },
  );
}

async function create(run: (sql: string) => Promise<unknown>, p: string, dialect: Dialect) {
  const { text } = dialect;
  await run(
    `CREATE TABLE IF NOT EXISTS ${p}_meta (name VARCHAR(20) NOT NULL PRIMARY KEY, value BIGINT NOT NULL)
     ENGINE = InnoDB ${text}`,
  );
  for (const table of tables(p, text)) await run(table);
  for (const [name, definition] of Object.entries(procedures(p, dialect))) {
    // One that is there stays, because other processes may be calling it.
    await run(`CREATE PROCEDURE ${p}_${name} ${definition}`).catch((error) => {
      if (error.errno === accessDenied) throw withoutRoutines(error);
      if (error.errno !== alreadyExists) throw error;
    });
  }
  await run(
    `INSERT INTO ${p}_meta (name, value) VALUES ('schema', ${schemaVersion})
     ON DUPLICATE KEY UPDATE value = ${schemaVersion}`,
  );
}

async function isCurrent(connection: MysqlConnection, settings: Settings): Promise<boolean> {
  const { namespace: p } = settings;
  const count = (kind: 'table' | 'routine', names: readonly string[]) =>
    `(SELECT COUNT(*) FROM information_schema.${kind}s WHERE ${kind}_schema = DATABASE()
      AND ${kind}_name IN (${names.map((name) => `'${p}_${name}'`).join()}))`;
  const names = Object.keys(procedures(p, dialects.mysql));
  const [[meta, others, routines]] = (await select(
    connection,
    `SELECT ${count('table', ['meta'])}, ${count('table', ['tasks', 'history', 'counter'])},
      ${count('routine', names)}`,
  )) as [[unknown, unknown, unknown]];
  if (Number(meta) === 0 && Number(others) > 0) {
    throw schemaError(
      `There are tables whose names begin with ${p}_, and no ${p}_meta beside them: they are not those of @sched/mysql. Choose another namespace.`,
    );
  }
  let version = 0;
  if (Number(meta) > 0) {
    const sql = `SELECT MAX(value) FROM ${p}_meta WHERE name = 'schema'`;
    version = Number((await select(connection, sql))[0]?.[0] ?? 0);
  }
  // A dump of the database leaves procedures out unless told not to.
  const isComplete = version > schemaVersion || Number(routines) === names.length;
  return isSchemaCurrent({
    what: `${isComplete ? 'The' : 'Some of the'} tables and procedures ${p}_*`,
    adapter: '@sched/mysql',
    found: isComplete ? version : 0,
    known: schemaVersion,
    migrate: settings.migrate,
    settings: 'database and namespace',
  });
}

/** The rows that a statement gives. */
export async function select(connection: MysqlConnection, sql: string): Promise<unknown[][]> {
  const [rows] = await connection.query(statement(connection, sql));
  return rows as unknown[][];
}
