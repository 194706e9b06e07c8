import type { Claim } from '../decisions/claim.js';
import type { Decision } from '../decisions/decision.js';
import type { Emitter } from '../events.js';
import type { RunEntry } from '../record.js';
import { runEventOf } from './held-task.js';

/** Emits the events about what the store has just recorded. */
export function reportSettled(
  events: Emitter,
  store: string,
  claim: Claim,
  decision: Decision,
): void {
  for (const record of decision.entries) reportRecord(events, store, claim, record, decision);
  for (const child of decision.spawn) {
    events.emit('spawned', {
      id: claim.record.id,
      name: claim.record.name,
      store,
      childId: child.id,
      nominal: new Date(claim.body.nominal ?? child.runAt ?? 0),
    });
  }
}

function reportRecord(
  events: Emitter,
  store: string,
  claim: Claim,
  record: RunEntry,
  decision: Decision,
): void {
  const { outcome, error, retryAt, at, nominal } = record;
  if (outcome === 'skipped') {
    events.emit('skipped', {
      id: claim.record.id,
      name: claim.record.name,
      store,
      reason: record.reason ?? 'missed',
      from: new Date(nominal),
      to: new Date(record.lastNominal ?? nominal),
      count: record.count ?? 1,
    });
    return;
  }
  if (!events.isHeard(endOf(record))) return;
  const runAt = decision.next?.runAt ?? null;
  const ended = {
    durationMs: at - (record.startedAt ?? at),
    nextRunAt: runAt === null ? null : new Date(runAt),
    ...runEventOf(claim, store),
    // Of the run itself: its task may have been edited, and claimed again, since it began.
    nominal: new Date(nominal),
    ...(record.attempt !== undefined && { attempt: record.attempt }),
    ...(record.token !== undefined && { token: record.token }),
  };
  if (outcome === 'succeeded') events.emit('succeeded', ended);
  if (!error) return;
  if (outcome === 'interrupted') events.emit('interrupted', { ...ended, error });
  else if (retryAt === undefined) events.emit('failed', { ...ended, error });
  else events.emit('retried', { ...ended, error, retryAt: new Date(retryAt) });
}

/** The event that says how a run ended. */
function endOf({ outcome, retryAt }: RunEntry) {
  if (outcome !== 'failed') return outcome === 'interrupted' ? 'interrupted' : 'succeeded';
  return retryAt === undefined ? 'failed' : 'retried';
}
