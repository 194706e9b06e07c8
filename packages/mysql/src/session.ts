import { SchedError } from '@sched/core';
import type {
  MysqlConnection,
  MysqlPool,
  MysqlPoolConnection,
  MysqlStatement,
  MysqlValue,
} from './client.js';
import { isPool } from './client.js';
import { storeError, triesOf } from './errors.js';
import type { Settings } from './options.js';

/** A statement whose rows come in their plain form, whatever the user has made of those of the connection. */
export function statement({ config }: MysqlConnection, sql: string): MysqlStatement {
  const isCast = typeof config?.typeCast === 'function';
  return { sql, rowsAsArray: true, ...(isCast && { typeCast: (_, next) => next() }) };
}

/** A row as the statements give it: texts, numbers and nulls. */
export type Row = readonly MysqlValue[];

/** Runs statements and procedures, each in a transaction of its own, or all in one of the user's. */
export interface Session {
  /** Whether the transaction is the user's. */
  readonly isNested: boolean;
  /** @returns the rows of a statement */
  all(sql: string, ...values: readonly MysqlValue[]): Promise<readonly Row[]>;
  /** @param request as JSON text @returns the rows that a procedure gives, by the statements that gave them */
  call(procedure: string, request: string, time: number | null): Promise<(readonly Row[])[]>;
}

/**
 * Values go to the server beside the statement, not within it, so that no mode of the user's sessions changes what they
 * mean; and numbers are read here, so that it is none of the user's type casts' business.
 */
export function createSession(
  client: MysqlPool | MysqlConnection,
  settings: Settings,
  isNested = false,
): Session {
  const run = async (sql: string, values: readonly MysqlValue[]) => {
    for (let failures = 1; ; failures++) {
      try {
        const [result] = await within(client, isNested, (connection) =>
          connection.execute(statement(connection, sql), [...values]),
        );
        return result;
      } catch (error) {
        if (isNested || failures >= triesOf(error)) throw storeError(error, settings.source);
      }
    }
  };
  return {
    isNested,
    all: async (sql, ...values) => (await run(sql, values)) as Row[],
    async call(procedure, request, time) {
      const sql = `CALL ${settings.namespace}_${procedure}(?, ?, ${isNested})`;
      const results = (await run(sql, [request, time])) as unknown[];
      return results.filter((result): result is Row[] => Array.isArray(result));
    },
  };
}

/** Uses a connection, and leaves none behind that is still in a transaction. */
async function within<T>(
  client: MysqlPool | MysqlConnection,
  isNested: boolean,
  use: (connection: MysqlConnection) => Promise<T>,
): Promise<T> {
  const loan: MysqlPoolConnection | undefined = isPool(client)
    ? await client.getConnection()
    : undefined;
  const connection = loan ?? (client as MysqlConnection);
  let isBroken = false;
  try {
    return await use(connection);
  } catch (error) {
    if (!isNested) {
      await connection.query({ sql: 'ROLLBACK' }).catch(() => {
        isBroken = true;
      });
    }
    throw error;
  } finally {
    if (isBroken) loan?.destroy();
    else loan?.release();
  }
}

/** JSON, whose numbers are all such as the server can keep. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'number' || Number.isSafeInteger(member)) return member;
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      `A value cannot be stored: ${member} is no whole number, or too large.`,
    );
  });
}
