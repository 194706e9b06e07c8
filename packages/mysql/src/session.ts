import { setTimeout } from 'node:timers/promises';
import type { MysqlConnection, MysqlPool, MysqlPoolConnection, MysqlStatement } from './client.js';
import { isPool } from './client.js';
import { storeError, triesOf } from './errors.js';
import type { Settings } from './options.js';

/** A statement whose rows come in their plain form, whatever the user has made of those of the connection. */
function statement({ config }: MysqlConnection, sql: string): MysqlStatement {
  const isCast = typeof config?.typeCast === 'function';
  // The driver looks for placeholders unless the values are null, and for named ones unless they are a list.
  const values = config?.namedPlaceholders ? [] : null;
  return { sql, values, rowsAsArray: true, ...(isCast && { typeCast: (_, next) => next() }) };
}

/** A row as the statements give it: texts, numbers and nulls. */
export type Row = readonly (string | number | null)[];

/** What a statement came to. */
interface Result {
  readonly rows: readonly Row[];
  /** How many rows it has inserted or deleted, or found to update. */
  readonly affected: number;
  /** The number that was given to what it has inserted. */
  readonly insertId: number;
}

export type Run = (sql: string) => Promise<Result>;

/** Runs statements, each in a transaction of its own, or all in one of the user's. */
export interface Session {
  /** Whether the transaction is the user's. */
  readonly isNested: boolean;
  /** Runs a statement that is all there is to do. */
  readonly run: Run;
  /** Runs several, which are applied as a whole or not at all: not where the work gives nothing. */
  transact<T>(work: (run: Run) => Promise<T>): Promise<T>;
}

export function createSession(
  client: MysqlPool | MysqlConnection,
  settings: Settings,
  isNested = false,
): Session {
  const savepoint = `SAVEPOINT ${settings.namespace}_call`;
  const { begin, commit, rollback } = isNested
    ? {
        // Going back to it fails where no transaction has been begun.
        begin: [savepoint, `ROLLBACK TO ${savepoint}`],
        commit: `RELEASE ${savepoint}`,
        rollback: `ROLLBACK TO ${savepoint}`,
      }
    : {
        begin: ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION'],
        commit: 'COMMIT',
        rollback: 'ROLLBACK',
      };

  const use = async <T>(work: (run: Run) => Promise<T>): Promise<T> => {
    for (let failures = 1; ; failures++) {
      try {
        return await within(client, rollback, work);
      } catch (error) {
        if (isNested || failures >= triesOf(error)) throw storeError(error, settings.source);
        // Whoever else is in the way tries again as well: at different moments, so that one of them gets through.
        if (failures > 1) await setTimeout(Math.random() * 2 ** failures);
      }
    }
  };
  const transact = <T>(work: (run: Run) => Promise<T>): Promise<T> =>
    use(async (run) => {
      for (const sql of begin) await run(sql);
      const result = await work(run);
      await run(result === undefined ? rollback : commit);
      return result;
    });
  return {
    isNested,
    run: (sql) => (isNested ? transact((run) => run(sql)) : use((run) => run(sql))),
    transact,
  };
}

/** Uses a connection, and leaves none behind that is still in a transaction. */
export async function within<T>(
  client: MysqlPool | MysqlConnection,
  rollback: string,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  if (!isPool(client)) return inTurn(client, () => using(client, rollback, work));
  const loan = await client.getConnection();
  return using(loan, rollback, work, loan);
}

/** What was last begun on each connection that is not from a pool. */
const latest = new WeakMap<object, Promise<unknown>>();

/** Uses a connection after whatever else does: what is done at once must not become part of another's transaction. */
function inTurn<T>(connection: MysqlConnection, work: () => Promise<T>): Promise<T> {
  // Each half with promises of a connection with callbacks is another object.
  const key = connection.connection ?? connection;
  const turn = (latest.get(key) ?? Promise.resolve()).then(work);
  latest.set(
    key,
    turn.catch(() => {}),
  );
  return turn;
}

async function using<T>(
  connection: MysqlConnection,
  rollback: string,
  work: (run: Run) => Promise<T>,
  loan?: MysqlPoolConnection,
): Promise<T> {
  let isBroken = false;
  try {
    return await work(async (sql) => {
      const [result] = await connection.query(statement(connection, sql));
      const { affectedRows = 0, insertId = 0 } = result as {
        affectedRows?: number;
        insertId?: number;
      };
      return { rows: Array.isArray(result) ? result : [], affected: affectedRows, insertId };
    });
  } catch (error) {
    await connection.query({ sql: rollback }).catch(() => {
      isBroken = true;
    });
    throw error;
  } finally {
    if (isBroken) loan?.destroy();
    else loan?.release();
  }
}
