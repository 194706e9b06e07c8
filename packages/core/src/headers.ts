/** What travels with a task beside its payload, such as the context of a trace. */

import { checkMembers, invalid } from './check.js';
import { SchedError } from './errors.js';

export type Headers = Readonly<Record<string, string>>;

/** The most bytes of UTF-8 that the names and values of a task's headers may have in all. */
const maxBytes = 8192;

export const noHeaders: Headers = /* @__PURE__ */ Object.freeze({});

/**
 * Checks headers, and copies them.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`, or `SCHED_PAYLOAD_TOO_LARGE` when there are more than 8 kB
 */
export function readHeaders(of: string, given: Headers | undefined): Record<string, string> {
  if (given === undefined) return {};
  const what = `headers of ${of}`;
  const headers = { ...checkMembers(what, given, Object.keys(Object(given))) };
  let text = '';
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') throw invalid(`${name} in the ${what}`, value, 'text');
    if (!(name + value).isWellFormed()) {
      throw invalid(`${name} in the ${what}`, value, 'text without half of a surrogate pair');
    }
    text += name + value;
  }
  const bytes = text.length * 3 <= maxBytes ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= maxBytes) return headers;
  throw new SchedError(
    'SCHED_PAYLOAD_TOO_LARGE',
    `The ${what} have ${bytes} bytes, more than ${maxBytes}. They are for what is about the task, as the context of a trace: put the rest into its payload.`,
    { details: { bytes, maxBytes } },
  );
}

export function hasHeaders(headers: Headers): boolean {
  return Object.keys(headers).length > 0;
}
