/** @jsxImportSource preact */

/** When a task is to run: how that is written, and what comes of it before it is saved. */

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Problem } from './api.js';
import { lengthText, ownZone, pretty } from './format.js';
import { Select } from './parts.js';
import type { ShownTask } from './types.js';

const kinds = {
  cron: { name: 'Cron expression', hint: 'Such as 0 9 * * MON-FRI', hasZone: true },
  every: { name: 'Interval', hint: 'Such as 90s, 5m, 1h30m or 1d', hasZone: false },
  at: { name: 'Once, at a moment', hint: 'Such as 2030-01-31T09:00:00Z', hasZone: false },
  in: { name: 'Once, from now', hint: 'Such as 10m', hasZone: false },
  trigger: { name: 'Stored form (JSON)', hint: 'As the task has it', hasZone: false },
} as const;

type Kind = keyof typeof kinds;

export interface Timing {
  readonly kind: Kind;
  readonly text: string;
  readonly zone: string;
}

/** The timing that a task has, as it can be edited. */
export function timingOf({ trigger }: ShownTask): Timing {
  const { kind, expression, timeZone, every, ...rest } = trigger?.json ?? { kind: '' };
  const isPlain = Object.keys(rest).every((name) => name === 'v' || name === 'anchor');
  const zone = typeof timeZone === 'string' ? timeZone : kind === 'cron' ? 'UTC' : ownZone;
  if (kind === 'cron' && typeof expression === 'string' && Object.keys(rest).length === 0) {
    return { kind: 'cron', text: expression, zone };
  }
  if (kind === 'every' && typeof every === 'number' && isPlain) {
    return { kind: 'every', text: lengthText(every), zone };
  }
  return { kind: 'trigger', text: trigger ? pretty(trigger.json) : '', zone };
}

/** What the API takes. Undefined while nothing is written, or what is written is no JSON. */
export function orderOf({ kind, text, zone }: Timing): object | undefined {
  const written = text.trim();
  if (written === '') return undefined;
  if (kind === 'cron') return { cron: written, ...(zone.trim() && { timeZone: zone.trim() }) };
  if (kind !== 'trigger') return { [kind]: written };
  try {
    return { trigger: JSON.parse(written) };
  } catch {
    return undefined;
  }
}

interface TimingFieldsProps {
  timing: Timing;
  onSet: (timing: Timing) => void;
}

export function TimingFields({ timing, onSet }: TimingFieldsProps) {
  const { kind, text, zone } = timing;
  const { name, hint, hasZone } = kinds[kind];
  const id = useId();
  const textId = useId();
  const zones = useId();
  const field = {
    ...{ id: textId, spellcheck: false, 'aria-describedby': id, value: text },
    'data-testid': 'timing-text',
    onInput: (event: { currentTarget: { value: string } }) =>
      onSet({ ...timing, text: event.currentTarget.value }),
  };
  return (
    <>
      <div class="fields">
        <Select
          label="When"
          value={kind}
          options={Object.entries(kinds).map(([each, words]) => [each, words.name])}
          onSet={(each) => onSet({ ...timing, kind: each as Kind, text: '' })}
          testId="timing-kind"
        />
        <div class="field grow">
          <label htmlFor={textId}>{name}</label>
          {kind === 'trigger' ? (
            <textarea rows={6} {...field} />
          ) : (
            <input type="text" autoComplete="off" {...field} />
          )}
          <small id={id}>{hint}</small>
        </div>
        {hasZone && (
          <label>
            <span>Time zone</span>
            <input
              type="text"
              list={zones}
              spellcheck={false}
              autoComplete="off"
              value={zone}
              onInput={(event) => onSet({ ...timing, zone: event.currentTarget.value })}
              data-testid="timing-zone"
            />
            <datalist id={zones}>
              {['UTC', ...Intl.supportedValuesOf('timeZone')].map((each) => (
                <option key={each} value={each} />
              ))}
            </datalist>
          </label>
        )}
      </div>
      {orderOf(timing) === undefined && text.trim() !== '' && (
        <p class="trouble" role="alert">
          This is not JSON.
        </p>
      )}
    </>
  );
}

const typingMs = 300;

/** What comes of a timing, or why nothing can; neither as long as that is not known. */
export interface Previewed<T> {
  readonly preview?: T;
  readonly problem?: Problem;
}

/**
 * Asks what comes of a timing, once it is left alone for a moment.
 *
 * @param order undefined where there is nothing to ask yet
 */
export function usePreview<T>(
  order: object | undefined,
  read: (order: object, signal: AbortSignal) => Promise<T>,
): Previewed<T> {
  const [shown, setShown] = useState<Previewed<T> & { text: string }>();
  const text = JSON.stringify(order);
  const latestRead = useRef(read);
  latestRead.current = read;
  useEffect(() => {
    if (text === undefined) return;
    const controller = new AbortController();
    const waiting = setTimeout(async () => {
      try {
        setShown({ text, preview: await latestRead.current(JSON.parse(text), controller.signal) });
      } catch (error) {
        if (controller.signal.aborted) return;
        if (error instanceof Problem) setShown({ text, problem: error });
      }
    }, typingMs);
    return () => {
      clearTimeout(waiting);
      controller.abort();
    };
  }, [text]);
  return shown !== undefined && shown.text === text ? shown : {};
}
