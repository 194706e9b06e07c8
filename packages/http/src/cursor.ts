import { refuse } from './problem.js';

/** The list that a cursor belongs to. */
export interface Listing {
  readonly store: string | undefined;
  /** Whatever tells it from another. */
  readonly filter: object;
}

/** Makes the cursor of a page: where the store goes on, and of which list. */
export function writeCursor(listing: Listing, next: string | null): string | null {
  if (next === null) return null;
  const text = encodeURIComponent(JSON.stringify([listKey(listing), next]));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws SchedError `SCHED_CURSOR_INVALID` when it is of another list, or was not made here */
export function readCursor(listing: Listing, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(decodeURIComponent(atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))));
  } catch {
    throw refuse('SCHED_CURSOR_INVALID', 'The cursor was not made by this API.');
  }
  if (!Array.isArray(parts) || parts.length !== 2 || typeof parts[1] !== 'string') {
    throw refuse('SCHED_CURSOR_INVALID', 'The cursor was not made by this API.');
  }
  if (parts[0] !== listKey(listing)) {
    throw refuse(
      'SCHED_CURSOR_INVALID',
      'The cursor is of another store, or of a list with another filter. Begin at the first page.',
    );
  }
  return parts[1];
}

function listKey({ store = '', filter }: Listing): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  return JSON.stringify([store, ...given.sort(([a], [b]) => (a < b ? -1 : 1))]);
}
