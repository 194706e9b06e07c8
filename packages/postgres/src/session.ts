import { notInTransaction } from '@sched/core/adapter';
import { joinable, type PgClient, type PgQueryable, type PgRow } from './client.js';
import { isContended, isUnprepared, storeError } from './errors.js';
import type { Settings } from './options.js';

/** Runs statements, each in a transaction of its own, or all in one of the user's. */
export interface Session {
  /** Whether the transaction is the user's. */
  readonly isNested: boolean;
  /** Objects are given as JSON. */
  rows(statement: Statement, ...values: readonly Value[]): Promise<readonly PgRow[]>;
  /** @returns what is, as JSON, in column `a` of each row */
  all<Row>(statement: Statement, ...values: readonly Value[]): Promise<Row[]>;
}

/** What is asked most has a name, under which it may be prepared. */
export type Statement = string | { readonly name: string; readonly text: string };

type Value = object | string | number | boolean | null;

/** How often a statement is made again when another transaction got in its way. */
const tries = 5;

/**
 * Nothing leaves anything behind on a connection that is the user's, or that a pooler may give to somebody else: there
 * no statement is prepared. What goes in and comes out is text, so that it is none of the user's type parsers' business.
 */
export function createSession(
  client: PgQueryable,
  settings: Settings,
  { isNested = false, prepares = false } = {},
): Session {
  let isPreparing = prepares;
  const rows: Session['rows'] = async (statement, ...values) => {
    const given = values.map((value) =>
      typeof value === 'object' ? value && JSON.stringify(value) : value,
    );
    for (let failures = 1; ; failures++) {
      // A pool of the user's is only asked what its type says, and that is a text.
      const asked = typeof statement === 'string' || isPreparing ? statement : statement.text;
      try {
        if (isNested && isIdle(client)) throw notInTransaction(joinable);
        return (await client.query(asked as string, given)).rows;
      } catch (error) {
        // There is a pooler that was not found out. Nothing has been done yet.
        if (typeof asked !== 'string' && isUnprepared(error)) isPreparing = false;
        else if (isNested || !isContended(error) || failures === tries) {
          throw storeError(error, settings.source);
        }
      }
    }
  };
  return {
    isNested,
    rows,
    async all<Row>(...statement: Parameters<typeof rows>) {
      return (await rows(...statement)).map(({ a }): Row => JSON.parse(a));
    },
  };
}

/** Whether it is known to be in no transaction. */
const isIdle = (client: PgClient) => client.getTransactionStatus?.() === 'I';
