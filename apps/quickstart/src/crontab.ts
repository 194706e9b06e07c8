/**
 * Reads schedules in the language of crontab(5), and a little more: six time fields, of which the first is the second;
 * `@every 90s`; and `CRON_TZ`.
 */

import { cron, every, isSchedError, type Trigger } from '@sched/core';

/** A line that says what is to be run, and when. */
export interface CrontabLine {
  /** Counted from 1. */
  readonly number: number;
  /** The time fields as they are written, with single blanks. */
  readonly schedule: string;
  /** What `CRON_TZ` was when the line came; empty when it was not set. */
  readonly timeZone: string;
  readonly trigger: Trigger;
  /** Whose line it is, in a system crontab. */
  readonly user: string | null;
  readonly command: string;
  /** What follows the first `%` of a command, for its standard input. */
  readonly input: string | null;
  /** The variables that were set above the line. */
  readonly env: Readonly<Record<string, string>>;
}

/** Something to be said about a line. */
interface Remark {
  readonly line: number;
  readonly text: string;
}

/** Why a line cannot be read. */
export interface Problem extends Remark {
  /** Where in the line, counted from 1. */
  readonly column: number;
  /** Which part of the line, such as `minute`. */
  readonly field: string;
  /** The line as it is written. */
  readonly source: string;
}

export interface Crontab {
  readonly lines: readonly CrontabLine[];
  /** What is read, and not done as cron does it. */
  readonly remarks: readonly Remark[];
  readonly problems: readonly Problem[];
}

export interface CrontabOptions {
  /** The IANA zone of schedules that no `CRON_TZ` comes before. */
  readonly timeZone: string;
  /** Whether a user is named before each command, as in /etc/crontab and /etc/cron.d. */
  readonly isSystem?: boolean;
  /** In a system crontab: the lines of others are left out. */
  readonly onlyUser?: string | undefined;
}

interface Word {
  readonly text: string;
  /** Where it begins in its line, counted from 0. */
  readonly start: number;
}

/** Thrown while a line is read. */
class LineProblem extends Error {
  readonly field: string;
  readonly column: number;

  constructor(field: string, column: number, message: string) {
    super(message);
    this.field = field;
    this.column = column;
  }
}

/** `NAME = value`; the value may be in quotes, which keep its blanks, and so may the name. */
const assignment = /^\s*(?:"([^"=]+)"|'([^'=]+)'|([^\s"'=]+))\s*=\s*(.*?)\s*$/;

/**
 * What makes a sixth word a sixth time field rather than the beginning of a command: `*`, `?`, or a number or the name
 * of a day that ends there or goes on as fields do.
 */
const sixthField = /^(?:[*?]|(?:\d+|sun|mon|tue|wed|thu|fri|sat)(?:[-,/#]|l?$))/i;

/** Reads a crontab. Every line that cannot be read is among the problems; nothing is thrown. */
export function parseCrontab(text: string, options: CrontabOptions): Crontab {
  const lines: CrontabLine[] = [];
  const remarks: Remark[] = [];
  const problems: Problem[] = [];
  const env: Record<string, string> = {};
  let timeZone = '';

  const remark = (line: number, said: string) => remarks.push({ line, text: said });
  const read = (source: string, number: number) => {
    const zero = source.indexOf('\0');
    if (zero >= 0) throw new LineProblem('line', zero + 1, 'A line cannot hold a zero byte.');
    const [, ...matched] = assignment.exec(source) ?? [];
    const name = matched[0] ?? matched[1] ?? matched[2];
    if (name !== undefined) {
      const value = unquote(matched[3] ?? '');
      if (name === 'CRON_TZ') timeZone = value && readTimeZone(value, source);
      else env[name] = value;
      const said = variableRemarks[name];
      if (said && value !== '') remark(number, said);
      return;
    }
    const words = wordsOf(source);
    if (words[0]?.text === '@reboot') {
      remark(
        number,
        'left out: @reboot is for when the machine starts, and this program starts more often.',
      );
      return;
    }
    const zone = timeZone || options.timeZone;
    const line = readLine(source, words, zone, options.isSystem ?? false);
    const { onlyUser } = options;
    if (onlyUser !== undefined && line.user !== null && line.user !== onlyUser) {
      remark(
        number,
        `left out: it is for ${line.user}, and you are ${onlyUser}. --as-me runs it all the same.`,
      );
      return;
    }
    lines.push({ ...line, number, timeZone, env: { ...env } });
  };

  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const source = raw.replace(/\r$/, '');
    if (/^\s*(?:#|$)/.test(source)) continue;
    try {
      read(source, index + 1);
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      const { field, column, message } = error;
      problems.push({ line: index + 1, field, column, text: message, source });
    }
  }
  return { lines, remarks, problems };
}

/** What is said about variables that mean something to cron and something else, or nothing, here. */
const variableRemarks: Readonly<Record<string, string>> = {
  MAILTO: 'MAILTO: no mail is sent. Output is shown here.',
  TZ: 'TZ is passed on to the commands, as cron does. The time zone of schedules is CRON_TZ.',
};

function readLine(source: string, words: readonly Word[], timeZone: string, isSystem: boolean) {
  const count = fieldCount(words);
  const fields = words.slice(0, count);
  const trigger = readTrigger(source, fields, timeZone);
  const user = isSystem ? words[count] : undefined;
  if (isSystem && !user) {
    throw new LineProblem(
      'user',
      source.length + 1,
      'The user is missing, who comes before the command in a system crontab.',
    );
  }
  const first = words[isSystem ? count + 1 : count];
  if (!first) throw new LineProblem('command', source.length + 1, 'The command is missing.');
  if (source.includes('\0')) {
    throw new LineProblem(
      'command',
      source.indexOf('\0') + 1,
      'A command cannot hold a zero byte.',
    );
  }
  return {
    trigger,
    schedule: fields.map(({ text }) => text).join(' '),
    user: user?.text ?? null,
    ...splitInput(source.slice(first.start).trimEnd()),
  };
}

/** How many words the schedule has. */
function fieldCount(words: readonly Word[]): number {
  const [first] = words;
  if (first?.text.startsWith('@')) return first.text === '@every' ? 2 : 1;
  return sixthField.test(words[5]?.text ?? '') ? 6 : 5;
}

function readTrigger(source: string, fields: readonly Word[], timeZone: string): Trigger {
  const [first, second] = fields;
  const last = fields.at(-1);
  const end = last ? last.start + last.text.length : 0;
  try {
    if (first?.text === '@every') return every(second?.text ?? '', { timeZone });
    // With the blanks as they are, so that a column of the expression is one of the line.
    cron(source.slice(0, end));
    return cron(fields.map(({ text }) => text).join(' '), { timeZone });
  } catch (error) {
    if (!isSchedError(error)) throw error;
    const { field = 'interval', column = (second?.start ?? end) + 1 } = error.details;
    // Field and column are said already, and of the line rather than of the expression.
    const message = error.message.replace(/^Cron .*?, column \d+: /s, '');
    throw new LineProblem(String(field), Number(column), message);
  }
}

function readTimeZone(value: string, source: string): string {
  try {
    cron('* * * * *', { timeZone: value });
    return value;
  } catch (error) {
    if (!isSchedError(error)) throw error;
    throw new LineProblem('CRON_TZ', source.indexOf('=') + 2, error.message);
  }
}

/** An unescaped `%` ends the command; what follows is its input, in which further ones begin new lines. */
function splitInput(text: string): { command: string; input: string | null } {
  const [command = '', ...input] = text
    .split(/(?<!\\)%/)
    .map((piece) => piece.replaceAll('\\%', '%'));
  return { command, input: input.length > 0 ? `${input.join('\n')}\n` : null };
}

function wordsOf(source: string): Word[] {
  return [...source.matchAll(/\S+/g)].map(({ 0: text, index }) => ({ text, start: index }));
}

function unquote(value: string): string {
  return /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
}
