import { SchedError } from '@sched/core';
import type { PgClient, PgQueryable } from './client.js';
import { isContended, storeError } from './errors.js';
import type { Settings } from './options.js';

/** Runs statements, each in a transaction of its own, or all in one of the user's. */
export interface Session {
  /** Whether the transaction is the user's. */
  readonly isNested: boolean;
  /** Objects are given as JSON. @returns what is in column `a` of each row */
  all<Row>(sql: string, ...values: readonly (object | number | null)[]): Promise<Row[]>;
}

/** How often a statement is made again when another transaction got in its way. */
const tries = 5;

/**
 * No statement is prepared under a name, and none leaves anything behind on its connection, so that a pooler may give
 * each another one. What goes in and comes out is JSON text, so that it is none of the user's type parsers' business.
 */
export function createSession(client: PgQueryable, settings: Settings, isNested = false): Session {
  return {
    isNested,
    async all<Row>(sql: string, ...values: readonly (object | number | null)[]) {
      const given = values.map((value) => value && JSON.stringify(value));
      for (let failures = 1; ; failures++) {
        try {
          if (isNested) assertInTransaction(client);
          const { rows } = await client.query(sql, given);
          return rows.map((row): Row => JSON.parse(row.a));
        } catch (error) {
          if (isNested || !isContended(error) || failures === tries) {
            throw storeError(error, settings.source);
          }
        }
      }
    },
  };
}

function assertInTransaction(client: PgClient): void {
  if (client.getTransactionStatus?.() === 'I') {
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      'The client given to withTransaction is not in a transaction: BEGIN one before, and COMMIT it after.',
    );
  }
}
