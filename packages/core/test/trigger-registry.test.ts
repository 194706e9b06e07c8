import { describe, expect, it } from 'vitest';
import { SchedError } from '../src/errors.js';
import type { Trigger, TriggerJson, TriggerKind } from '../src/trigger.js';
import { createTriggerRegistry, sameJson } from '../src/trigger-registry.js';
import { allOf } from '../src/triggers/all-of.js';
import { anyOf } from '../src/triggers/any-of.js';
import { at } from '../src/triggers/at.js';
import { every } from '../src/triggers/every.js';
import { except } from '../src/triggers/except.js';
import { codeOf, declared, forward } from './support/occurrences.js';

const context = declared(0);

/** A third party's kind, by the contract alone: the powers of two, in milliseconds, from a base on. */
class Powers implements Trigger {
  static readonly kind = 'test/powers';
  readonly kind = Powers.kind;
  readonly type: TriggerKind = Powers;
  readonly #base: number;

  constructor(base: number) {
    this.#base = base;
  }

  static parse({ base }: TriggerJson): Trigger {
    return new Powers((base as { exact: number }).exact);
  }

  static from(base: number): Trigger {
    return new Powers(base);
  }

  next(after: number): number | null {
    const n = after < this.#base ? 0 : Math.floor(Math.log2(after / this.#base)) + 1;
    return n > 40 ? null : this.#base * 2 ** n;
  }

  previous(before: number): number | null {
    return before <= this.#base
      ? null
      : this.#base * 2 ** Math.min(40, Math.ceil(Math.log2(before / this.#base)) - 1);
  }

  toJSON(): TriggerJson {
    return { kind: this.kind, base: { exact: this.#base } };
  }
}

describe('a registry of trigger kinds', () => {
  it('reads back what its kinds wrote', () => {
    const registry = createTriggerRegistry([at, every, anyOf]);
    const trigger = anyOf(at(7), every(5, { anchor: 0 }));
    const again = registry.parse(JSON.parse(JSON.stringify(trigger)));
    expect(again.type).toBe(anyOf);
    expect(forward(again, 0, 11, context)).toEqual([5, 7, 10]);
  });

  it('knows what it was given, and nothing else', () => {
    const registry = createTriggerRegistry([every]);
    expect(registry.parse(every('5m').toJSON()).type).toBe(every);
    for (const kind of ['at', 'constructor', '__proto__']) {
      expect(codeOf(() => registry.parse({ kind }))).toBe('SCHED_TRIGGER_UNKNOWN');
    }
  });

  it('takes a third party’s kind, by itself and as a part', () => {
    const registry = createTriggerRegistry([Powers, except, at]);
    const trigger = except(new Powers(3), [at(6)]);
    const again = registry.parse(JSON.parse(JSON.stringify(trigger)));
    expect(forward(again, 0, 50, context)).toEqual([3, 12, 24, 48]);
    expect(again.previous(48, context)).toBe(24);
  });

  it('learns the kinds of a trigger and of its parts', () => {
    const registry = createTriggerRegistry([]);
    registry.registerFrom(except(anyOf(new Powers(3), every('5m')), [at(5)]));
    const parts = [except(every('5m'), [at(5)]), anyOf(every('5m')), new Powers(3)];
    for (const trigger of parts) {
      expect(registry.parse(trigger.toJSON()).toJSON()).toEqual(trigger.toJSON());
    }
    expect(codeOf(() => registry.parse({ kind: 'allOf' }))).toBe('SCHED_TRIGGER_UNKNOWN');
  });

  it('takes the same kind again', () => {
    const registry = createTriggerRegistry([every, every, Powers]);
    registry.register(every);
    registry.register({ kind: Powers.kind, parse: Powers.parse });
    expect(registry.parse(new Powers(3).toJSON()).type).toBe(Powers);
  });

  it('refuses another kind of the same name, and keeps the first', () => {
    const registry = createTriggerRegistry([every]);
    const impostor: TriggerKind = { kind: 'every', parse: () => at(1) };
    expect(codeOf(() => registry.register(impostor))).toBe('SCHED_ARGUMENT_INVALID');
    expect(codeOf(() => createTriggerRegistry([impostor, every]))).toBe('SCHED_ARGUMENT_INVALID');
    const trigger: Trigger = { ...at(1), type: impostor };
    expect(codeOf(() => registry.registerFrom(trigger))).toBe('SCHED_ARGUMENT_INVALID');
    expect(codeOf(() => registry.registerFrom(anyOf(trigger)))).toBe('SCHED_ARGUMENT_INVALID');
    expect(registry.parse(every('5m').toJSON()).type).toBe(every);
  });

  it.each([
    [undefined],
    [null],
    ['every'],
    [{}],
    [{ kind: 'moon' }],
    [{ kind: '', parse: () => at(1) }],
    [{ kind: 5, parse: () => at(1) }],
    [() => at(1)],
  ])('refuses %o for a kind', (kind) => {
    expect(codeOf(() => createTriggerRegistry([kind as TriggerKind]))).toBe(
      'SCHED_ARGUMENT_INVALID',
    );
  });

  it('names a kind that it does not know, and how to make it known', () => {
    const registry = createTriggerRegistry([at]);
    expect(() => registry.parse({ kind: 'every', every: 5 })).toThrow(
      'The kind of trigger "every" is not registered with this scheduler. Import it and pass it: createScheduler({ triggers: [every] }).',
    );
    expect(() => registry.parse({ kind: 'acme/tide' })).toThrow('triggers: [theKind]');
    for (const kind of ['every', 'acme/tide', '', 'constructor', '__proto__', 'toString']) {
      expect(codeOf(() => registry.parse({ kind }))).toBe('SCHED_TRIGGER_UNKNOWN');
    }
  });

  it.each([[undefined], [null], [5], ['every'], [[]], [{}], [{ kind: 5 }], [{ kind: null }]])(
    'refuses %j for the stored form of a trigger',
    (json) => {
      const registry = createTriggerRegistry([at]);
      expect(codeOf(() => registry.parse(json as unknown as TriggerJson))).toBe(
        'SCHED_TRIGGER_INVALID',
      );
    },
  );

  it('gives a typed error when a third party’s kind fails', () => {
    const failing = (fail: () => unknown): TriggerKind => ({
      kind: 'test/failing',
      parse: () => fail() as Trigger,
    });
    const code = (fail: () => unknown) =>
      codeOf(() => createTriggerRegistry([failing(fail)]).parse({ kind: 'test/failing' }));
    const own = new SchedError('SCHED_TIME_INVALID', 'No such tide.');
    expect(
      code(() => {
        throw own;
      }),
    ).toBe('SCHED_TIME_INVALID');
    for (const thrown of [new TypeError('No base'), 'no base', undefined, Object.create(null)]) {
      expect(
        code(() => {
          throw thrown;
        }),
      ).toBe('SCHED_TRIGGER_INVALID');
    }
    for (const result of [undefined, null, {}, { kind: 'test/failing' }, Promise.resolve(at(1))]) {
      expect(code(() => result)).toBe('SCHED_TRIGGER_INVALID');
    }
    // The kind of this test trips over its own damaged form, and the cause says where.
    try {
      createTriggerRegistry([Powers]).parse({ kind: Powers.kind });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'SCHED_TRIGGER_INVALID' });
      expect((error as SchedError).cause).toBeInstanceOf(TypeError);
    }
  });

  it('refuses to store or to read what is nested too deep', () => {
    const registry = createTriggerRegistry([at, anyOf]);
    const nest = (times: number) => {
      let trigger = at(1);
      for (let i = 0; i < times; i++) trigger = anyOf(trigger);
      return trigger;
    };
    registry.registerFrom(nest(31));
    expect(registry.parse(nest(31).toJSON()).next(0, context)).toBe(1);
    expect(codeOf(() => registry.registerFrom(nest(32)))).toBe('SCHED_TRIGGER_INVALID');
    expect(codeOf(() => registry.parse(nest(32).toJSON()))).toBe('SCHED_TRIGGER_INVALID');
    let json: TriggerJson = { kind: 'at', at: 1 };
    for (let i = 0; i < 100_000; i++) json = { kind: 'anyOf', triggers: [json] };
    expect(codeOf(() => registry.parse(json))).toBe('SCHED_TRIGGER_INVALID');
  });
});

describe('sameJson', () => {
  const json = (text: string) => JSON.parse(text) as TriggerJson;

  it('takes no account of the order of members, at any depth', () => {
    expect(
      sameJson(
        json('{"kind":"x","a":{"b":1,"c":[{"d":1,"e":2}]},"f":null}'),
        json('{"f":null,"a":{"c":[{"e":2,"d":1}],"b":1},"kind":"x"}'),
      ),
    ).toBe(true);
  });

  it('holds for declarations that mean the same', () => {
    const same = (a: Trigger, b: Trigger) => sameJson(a.toJSON(), b.toJSON());
    expect(same(every('5m'), every({ minutes: 5 }))).toBe(true);
    expect(same(every('1w', { anchor: 0 }), every({ days: 7 }, { anchor: new Date(0) }))).toBe(
      true,
    );
    expect(same(every('24h'), every('1d'))).toBe(false);
    expect(same(every('5m'), every('5m', { anchor: 0 }))).toBe(false);
    expect(same(anyOf(at(1)), allOf(at(1)))).toBe(false);
    expect(same(except(at(1), ['2026-12-25', 5]), except(at(1), ['2026-12-25', new Date(5)]))).toBe(
      true,
    );
  });

  it.each([
    ['{"kind":"x"}', '{"kind":"y"}'],
    ['{"kind":"x","a":1}', '{"kind":"x"}'],
    ['{"kind":"x","a":1}', '{"kind":"x","a":"1"}'],
    ['{"kind":"x","a":[1,2]}', '{"kind":"x","a":[2,1]}'],
    ['{"kind":"x","a":[]}', '{"kind":"x","a":{}}'],
    ['{"kind":"x","a":null}', '{"kind":"x","a":{}}'],
    ['{"kind":"x","__proto__":1}', '{"kind":"x"}'],
    ['{"kind":"x","a":{"__proto__":{"b":1}}}', '{"kind":"x","a":{}}'],
  ])('tells %s from %s', (a, b) => {
    expect(sameJson(json(a), json(b))).toBe(false);
    expect(sameJson(json(a), json(a))).toBe(true);
  });
});
