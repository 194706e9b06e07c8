import type { HistoryEntry, TaskRecord } from '@sched/core';
import { checkMembers } from '@sched/core';
import { UsageError } from './errors.js';

/** The first line of an export. */
export interface Header {
  readonly sched: 'export';
  readonly version: 1;
}

/** A line of an export: one member of these. The last is `end`, without which something is missing. */
export type Line =
  | Header
  | { readonly task: TaskRecord }
  | { readonly history: HistoryEntry }
  | { readonly end: { readonly tasks: number; readonly history: number } };

export const header: Header = { sched: 'export', version: 1 };

type Kind = 'string' | 'number' | 'boolean' | 'null' | 'object';

/** What each member of a task may be. */
const taskMembers: Readonly<Record<keyof TaskRecord, readonly Kind[]>> = {
  id: ['string'],
  name: ['string'],
  queue: ['string'],
  group: ['string', 'null'],
  status: ['string'],
  paused: ['boolean'],
  runAt: ['number', 'null'],
  body: ['string'],
  resumedAt: ['number', 'null'],
  lease: ['object', 'null'],
  deliveries: ['number'],
  revision: ['number'],
  wakeAt: ['number', 'null'],
};

const historyMembers: Readonly<Record<keyof HistoryEntry, readonly Kind[]>> = {
  taskId: ['string'],
  id: ['string'],
  at: ['number'],
  body: ['string'],
};

/**
 * Reads the lines of an export, and checks them.
 *
 * @throws UsageError that names the line
 */
export async function* readExport(lines: AsyncIterable<string>): AsyncGenerator<Line> {
  let number = 0;
  let hasEnded = false;
  for await (const text of lines) {
    number++;
    if (text.trim() === '') continue;
    const line = readLine(text, number);
    if (number === 1 && !('sched' in line)) {
      throw new UsageError('Line 1 is not the beginning of an export of sched.');
    }
    if (hasEnded) throw new UsageError(`Line ${number} is behind the end of the export.`);
    hasEnded = 'end' in line;
    yield line;
  }
  if (!hasEnded) throw new UsageError('The export has no end: a part of it is missing.');
}

function readLine(text: string, number: number): Line {
  const where = `Line ${number}`;
  try {
    const line: unknown = JSON.parse(text);
    const [name, ...others] = Object.keys(checkMembers(where, line as object, lineMembers));
    if (name === 'sched') {
      const { sched, version } = line as { sched: unknown; version: unknown };
      if (sched === 'export' && version === 1) return header;
      throw new UsageError(`${where} is of another form than this version reads.`);
    }
    if (name === undefined || others.length > 0) {
      throw new UsageError(`${where} has to have one member.`);
    }
    const value = (line as Record<string, unknown>)[name];
    if (name === 'task') check(`The task of line ${number}`, value, taskMembers);
    if (name === 'history') check(`The history of line ${number}`, value, historyMembers);
    return line as Line;
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${where} is not JSON.`);
    throw error;
  }
}

const lineMembers = ['sched', 'version', 'task', 'history', 'end'];

function check(
  what: string,
  value: unknown,
  members: Readonly<Record<string, readonly Kind[]>>,
): void {
  const given = checkMembers(what, value as Record<string, unknown>, Object.keys(members));
  for (const [name, kinds] of Object.entries(members)) {
    const kind = given[name] === null ? 'null' : typeof given[name];
    if (!kinds.includes(kind as Kind)) {
      throw new UsageError(`${what}: ${name} must be ${kinds.join(' or ')}, not ${kind}.`);
    }
  }
}
