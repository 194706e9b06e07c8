import { describe, expect, it } from 'vitest';
import type { Time } from '../src/duration.js';
import type { TriggerJson, TriggerKind } from '../src/trigger.js';
import { createTriggerRegistry } from '../src/trigger-registry.js';
import { at } from '../src/triggers/at.js';
import { codeOf, declared } from './support/occurrences.js';

const moment = Date.parse('2026-03-29T07:30:00Z');
const context = declared('2026-01-01T00:00Z');

describe('at', () => {
  it.each<[string, Time]>([
    ['a Date', new Date(moment)],
    ['epoch milliseconds', moment],
    ['text with an offset', '2026-03-29T09:30:00+02:00'],
  ])('names the one moment given as %s', (_, time) => {
    const trigger = at(time);
    expect(trigger.next(moment - 1, context)).toBe(moment);
    expect(trigger.next(moment, context)).toBeNull();
    expect(trigger.previous(moment + 1, context)).toBe(moment);
    expect(trigger.previous(moment, context)).toBeNull();
    expect(trigger.next(Number.NEGATIVE_INFINITY, context)).toBe(moment);
    expect(trigger.previous(Number.POSITIVE_INFINITY, context)).toBe(moment);
  });

  it('has the same stored form however the moment was written, and comes back from it', () => {
    const json = '{"kind":"at","at":1774769400000}';
    expect(JSON.stringify(at('2026-03-29T09:30:00+02:00'))).toBe(json);
    expect(JSON.stringify(at(new Date(moment)))).toBe(json);
    const trigger = createTriggerRegistry([at]).parse(JSON.parse(json));
    expect(trigger.next(0, context)).toBe(moment);
    expect(JSON.stringify(trigger)).toBe(json);
  });

  it('is its own kind and has a short form', () => {
    const kind: TriggerKind = at;
    expect(kind.kind).toBe('at');
    expect(at(moment).type).toBe(kind);
  });

  it.each([
    ['tomorrow'],
    ['2026-03-29T07:30'],
    [Number.NaN],
    [new Date('?')],
    [undefined],
    [null],
    [{}],
  ])('refuses %j', (time) => {
    expect(codeOf(() => at(time as Time))).toBe('SCHED_TIME_INVALID');
  });

  it.each<[string, unknown]>([
    ['SCHED_TIME_INVALID', { kind: 'at' }],
    ['SCHED_TIME_INVALID', { kind: 'at', at: null }],
    ['SCHED_TIME_INVALID', { kind: 'at', at: [moment] }],
    ['SCHED_TIME_INVALID', { kind: 'at', at: 1e300 }],
    ['SCHED_TRIGGER_INVALID', { kind: 'at', at: moment, until: moment }],
  ])('gives %s for the stored form %j', (code, json) => {
    expect(codeOf(() => createTriggerRegistry([at]).parse(json as TriggerJson))).toBe(code);
  });
});
