/** What a handler tells while it runs. */

import { invalid } from './check.js';

/** A line that a handler has logged. */
export interface LogLine {
  /** Epoch milliseconds by the store's clock. */
  readonly at: number;
  readonly text: string;
}

/** How far a run has come. Both members are absent until the handler tells something. */
export interface RunReport {
  /** From 0 to 1. */
  readonly progress?: number;
  /** The last 20 lines, the oldest first. */
  readonly log?: readonly LogLine[];
}

/** What handlers tell who tell nothing, and return whose results are not kept. */
export const nothing: { readonly result?: unknown } & RunReport = /* @__PURE__ */ Object.freeze({});

const maxLines = 20;
const maxLineLength = 500;

/** @throws SchedError `SCHED_ARGUMENT_INVALID` */
export function withProgress(report: RunReport, progress: number): RunReport {
  if (!(progress >= 0 && progress <= 1)) throw invalid('progress', progress, 'from 0 to 1');
  return { ...report, progress };
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` */
export function withLine(report: RunReport, text: string, at: number): RunReport {
  if (typeof text !== 'string') throw invalid('The line to log', text, 'text');
  const line = { at, text: shortened(text.toWellFormed()) };
  return { ...report, log: [...(report.log ?? []), line].slice(-maxLines) };
}

/**
 * What a handler returned, if it is JSON and takes no more bytes than that; as JSON has it.
 *
 * @param maxBytes none is kept where this is 0
 */
export function readResult(value: unknown, maxBytes: number): { readonly result?: unknown } {
  if (maxBytes === 0 || value === undefined) return nothing;
  try {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined || new TextEncoder().encode(text).length > maxBytes) return nothing;
    return { result: JSON.parse(text) };
  } catch {
    return nothing;
  }
}

function shortened(text: string): string {
  return text.length > maxLineLength ? `${text.slice(0, maxLineLength).toWellFormed()}…` : text;
}
