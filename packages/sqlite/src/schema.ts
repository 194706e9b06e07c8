import { isSchemaCurrent } from '@sched/core/adapter';
import type { Session } from './session.js';

/** The version that this code reads and writes. */
export const schemaVersion = 1;

/** What leads from each version to the next; the first entry starts from nothing. Entries never change once released. */
export function steps(prefix: string): readonly string[] {
  return [
    `
    CREATE TABLE ${prefix}meta (
      key TEXT PRIMARY KEY,
      value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO ${prefix}meta VALUES ('schema', 1), ('counter', 0);

    CREATE TABLE ${prefix}tasks (
      serial INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL,
      queue TEXT NOT NULL,
      group_name TEXT,
      status TEXT NOT NULL,
      paused INTEGER NOT NULL,
      run_at INTEGER,
      resumed_at INTEGER,
      lease_token INTEGER,
      lease_owner TEXT,
      lease_expires_at INTEGER,
      settled_token INTEGER,
      deliveries INTEGER NOT NULL DEFAULT 0,
      revision INTEGER NOT NULL,
      wake_at INTEGER GENERATED ALWAYS AS (
        CASE WHEN status = 'scheduled' AND NOT paused THEN coalesce(lease_expires_at, run_at) END
      ) VIRTUAL,
      body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX ${prefix}tasks_due ON ${prefix}tasks (queue, wake_at) WHERE wake_at IS NOT NULL;
    CREATE INDEX ${prefix}tasks_group ON ${prefix}tasks (group_name) WHERE group_name IS NOT NULL;

    CREATE TABLE ${prefix}history (
      serial INTEGER PRIMARY KEY,
      task_id TEXT NOT NULL,
      id TEXT NOT NULL,
      at INTEGER NOT NULL,
      body TEXT NOT NULL,
      UNIQUE (task_id, id)
    ) STRICT;
    CREATE INDEX ${prefix}history_oldest ON ${prefix}history (at);
    `,
  ];
}

/**
 * Brings the schema to {@link schemaVersion}. Runs inside a write transaction, so that of several processes that open
 * a fresh file the first creates the schema and the others find it.
 *
 * @throws SchedError `SCHED_STORE_SCHEMA` when the schema is newer, or is not current and must not be changed
 */
export function migrate(session: Session, prefix: string, mayChange: boolean): void {
  const version = readVersion(session, prefix);
  if (isCurrent(`The tables ${prefix}*`, version, mayChange)) {
    // Changes nothing, and fails where nothing can be changed.
    session.run(`DELETE FROM ${prefix}meta WHERE false`);
    return;
  }
  for (const step of steps(prefix).slice(version)) session.database.exec(step);
}

/** @throws SchedError `SCHED_STORE_SCHEMA`, as {@link migrate} */
export function isCurrent(what: string, found: number, migrate: boolean): boolean {
  const adapter = '@sched/sqlite';
  const settings = 'path or namespace';
  return isSchemaCurrent({ what, adapter, found, known: schemaVersion, migrate, settings });
}

/** 0 when there is no schema. */
export function readVersion(session: Session, prefix: string): number {
  if (!session.get(`PRAGMA table_info(${prefix}meta)`)) return 0;
  const row = session.get<[number]>(`SELECT value FROM ${prefix}meta WHERE key = 'schema'`);
  return row?.[0] ?? 0;
}
