import { type Claim, type Decision, type Outcome, settled } from '../policy.js';
import { describeError, type RunRecord, writeBody } from '../record.js';

/**
 * What to settle when a run has ended and nothing can be decided about what follows: a trigger of somebody else's
 * throws, or a policy that was stored is damaged. The run counts, and the task is kept as failed, to be mended and
 * retried by hand; to run it again would only repeat what it did.
 *
 * @param thrown why nothing can be decided
 */
export function undecidable(
  { body, token, owner }: Claim,
  outcome: Outcome,
  thrown: unknown,
  startedAt: number,
  now: number,
): Decision {
  const about = { nominal: body.nominal ?? startedAt, at: now, attempt: body.attempt };
  const { name, message, ...rest } = describeError(thrown);
  const failed: RunRecord = {
    ...{ ...about, token, owner, outcome: 'failed' },
    error: { name, message: `What follows this run cannot be decided: ${message}`, ...rest },
  };
  const ran: RunRecord = {
    ...{ ...about, token, owner, startedAt },
    ...(outcome.kind === 'succeeded'
      ? { outcome: 'succeeded' }
      : { outcome: 'failed', error: outcome.error }),
  };
  return {
    next: { status: 'failed', runAt: null, body: writeBody({ ...settled(body), last: failed }) },
    records: [ran, failed],
    spawn: [],
  };
}
