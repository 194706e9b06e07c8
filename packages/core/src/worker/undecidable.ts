import type { Claim } from '../decisions/claim.js';
import { type Decision, type Ending, settled } from '../decisions/decision.js';
import { describeError, type RunEntry, writeBody } from '../record.js';

/**
 * The decision about an ended run when it is impossible to decide what follows: a third-party trigger throws, or a
 * stored policy is damaged. Records the run, and keeps the task as failed, so that somebody can mend it and retry it by
 * hand. Running it again would only repeat its work.
 *
 * @param thrown why no decision is possible
 */
export function undecidable(
  { body, token, owner }: Claim,
  ending: Ending,
  thrown: unknown,
  startedAt: number,
  now: number,
): Decision {
  const about = { nominal: body.nominal ?? startedAt, at: now, attempt: body.attempt };
  const { name, message, ...rest } = describeError(thrown);
  const failed: RunEntry = {
    ...{ ...about, token, owner, outcome: 'failed' },
    error: { name, message: `What follows this run cannot be decided: ${message}`, ...rest },
  };
  const ran: RunEntry = {
    ...{ ...about, token, owner, startedAt },
    ...(ending.kind === 'succeeded'
      ? { outcome: 'succeeded' }
      : { outcome: 'failed', error: ending.error }),
  };
  return {
    next: { status: 'failed', runAt: null, body: writeBody({ ...settled(body), last: failed }) },
    entries: [ran, failed],
    spawn: [],
  };
}
