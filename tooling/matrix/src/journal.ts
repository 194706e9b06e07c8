import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a worker saw. Each note is in its file before the worker goes on, so that SIGKILL loses none. */
export type Note =
  /** A handler was called, returned, or failed as it was to. */
  | { readonly kind: 'began' | 'ended' | 'failed'; readonly run: Run }
  /** The scheduler said that the store has recorded a success. */
  | { readonly kind: 'recorded'; readonly run: Run }
  | { readonly kind: 'storeError'; readonly call: string; readonly code: string };

export interface Run {
  /** The task, or the one that an occurrence of it was given. */
  readonly id: string;
  readonly token: number;
  readonly nominal: number;
  readonly attempt: number;
}

export type JournalEntry = Note & {
  readonly worker: string;
  /** By a clock that all processes of a machine share, in microseconds. */
  readonly at: number;
};

/** Gives a function that writes into a file of the worker's own. */
export function openJournal(folder: string, worker: string): (note: Note) => void {
  const file = join(folder, `${worker}.jsonl`);
  return (note) => {
    const at = Number(process.hrtime.bigint() / 1000n);
    const entry: JournalEntry = { ...note, worker, at };
    appendFileSync(file, `${JSON.stringify(entry)}\n`);
  };
}

/** What all workers wrote, in the order in which it happened. */
export function readJournals(folder: string): JournalEntry[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  const entries: JournalEntry[] = lines.filter(Boolean).map((line) => JSON.parse(line));
  return entries.sort((a, b) => a.at - b.at);
}
