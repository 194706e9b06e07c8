import type { Claim } from '../decisions/claim.js';
import { type Decision, type Ending, settled } from '../decisions/decision.js';
import { describeError, type RunEntry, writeBody } from '../record.js';

/**
 * What to settle when a run has ended and nothing can be decided about what follows: a trigger of somebody else's
 * throws, or a policy that was stored is damaged. The run counts, and the task is kept as failed, to be mended and
 * retried by hand; to run it again would only repeat what it did.
 *
 * @param thrown why nothing can be decided
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
