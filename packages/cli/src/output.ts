import { styleText } from 'node:util';
import Table from 'cli-table3';
import type { Io } from './io.js';

export type Style = Parameters<typeof styleText>[0];

/** What stands in a cell. */
export type Cell = string | number | null | undefined;

const none = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left']
    .concat(['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
    .map((name) => [name, '']),
);

/** Writes what a command has to say: for people, or as JSON for programs. */
export class Output {
  readonly isJson: boolean;
  readonly #io: Io;
  readonly #redact: (text: string) => string;
  readonly #isColored: boolean;

  /** @param redact takes secrets out of what people see */
  constructor(
    io: Io,
    options: { json: boolean; color: boolean; redact: (text: string) => string },
  ) {
    this.#io = io;
    this.isJson = options.json;
    this.#redact = options.redact;
    const { NO_COLOR, TERM } = io.env;
    this.#isColored =
      options.color && Boolean(io.stdout.isTTY) && !NO_COLOR && TERM !== 'dumb' && !options.json;
  }

  /** Writes a value as JSON, or else what it is to people. */
  show(value: unknown, text: () => string): void {
    if (this.isJson) this.raw(`${toJson(value, 2)}\n`);
    else this.raw(`${this.#redact(text())}\n`);
  }

  /** A value of JSON without what stands as a password somewhere. Not for data that has to stay as it is. */
  redacted<T>(value: T): T {
    return JSON.parse(this.#redact(JSON.stringify(value)));
  }

  /** Writes data as it is. */
  raw(text: string): void {
    this.#io.stdout.write(text);
  }

  /** Says something beside the result. */
  note(text: string): void {
    this.#io.stderr.write(`${this.#redact(text)}\n`);
  }

  /** Says why the command has failed. */
  fail(error: { code?: string; message: string }): void {
    const message = this.#redact(error.message);
    const { code } = error;
    const text = this.isJson
      ? JSON.stringify({ error: { ...(code && { code }), message } })
      : `sched: ${code ? `${code}: ` : ''}${visible(message, true)}`;
    this.#io.stderr.write(`${text}\n`);
  }

  style(style: Style, text: string): string {
    return this.#isColored ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Columns under their titles; in place of no rows, what is said then. */
  table(titles: readonly string[], rows: readonly (readonly Cell[])[], empty: string): string {
    if (rows.length === 0) return empty;
    const head = titles.map((title) => this.style('dim', title));
    return this.#columns([head, ...rows.map((row) => row.map(cell))]);
  }

  /** Names and what they stand for, below each other. What is undefined is left out. */
  details(entries: Readonly<Record<string, Cell>>): string {
    const rows = Object.entries(entries)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [this.style('dim', name), cell(value)]);
    return this.#columns(rows);
  }

  #columns(rows: readonly (readonly string[])[]): string {
    const table = new Table({
      chars: { ...none, middle: '  ' },
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    });
    table.push(...rows.map((row) => [...row]));
    return table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n');
  }
}

/** A value as JSON; undefined where it is none. */
export function toJson(value: unknown, indent?: number): string | undefined {
  return JSON.stringify(value, plain, indent);
}

/** For values that JSON does not know; a codec may give any. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (value instanceof Error) {
    return { code: (value as { code?: unknown }).code, message: value.message };
  }
  return value;
}

function cell(value: Cell): string {
  return value === null || value === undefined ? '-' : keepStyles(String(value));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would act upon
const control = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the styles that are put in here
const styled = /(\u001b\[\d+m)/;

/**
 * A text in which nothing moves the cursor or hides what stands beside it.
 *
 * @param isLong whether it may have several lines
 */
export function visible(text: string, isLong = false): string {
  return text.replace(control, (character) =>
    isLong && character === '\n'
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function keepStyles(text: string): string {
  return text
    .split(styled)
    .map((part, index) => (index % 2 === 1 ? part : visible(part)))
    .join('');
}
