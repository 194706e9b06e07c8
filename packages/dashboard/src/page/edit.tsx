/** @jsxImportSource preact */

/** Changes of a task: its schedule, with a preview before it is saved, and all else. */

import { useEffect, useId, useState } from 'preact/hooks';
import { Problem, patch, post, taskPath } from './api.js';
import { ownZone, pretty } from './format.js';
import { touch } from './live.js';
import { Occurrences } from './occurrences.js';
import { Dialog, Empty, Select, Trouble, tell } from './parts.js';
import type { ShownTask, TaskPreview } from './types.js';

interface DialogProps {
  task: ShownTask;
  onClose: () => void;
  onSaved: () => void;
}

const kinds = {
  cron: { name: 'Cron expression', hint: 'Such as 0 9 * * MON-FRI', hasZone: true },
  every: { name: 'Interval', hint: 'Such as 90s, 5m, 1h30m or 1d', hasZone: false },
  at: { name: 'Once, at a moment', hint: 'Such as 2030-01-31T09:00:00Z', hasZone: false },
  in: { name: 'Once, from now', hint: 'Such as 10m', hasZone: false },
  trigger: { name: 'Stored form (JSON)', hint: 'As the task has it', hasZone: false },
} as const;

type Kind = keyof typeof kinds;

interface Timing {
  readonly kind: Kind;
  readonly text: string;
  readonly zone: string;
}

/** The timing that a task has, as it can be edited. */
function timingOf({ trigger }: ShownTask): Timing {
  const { kind, expression, timeZone, every, ...rest } = trigger?.json ?? { kind: '' };
  const isPlain = Object.keys(rest).every((name) => name === 'v' || name === 'anchor');
  const zone = typeof timeZone === 'string' ? timeZone : kind === 'cron' ? 'UTC' : ownZone;
  if (kind === 'cron' && typeof expression === 'string' && Object.keys(rest).length === 0) {
    return { kind: 'cron', text: expression, zone };
  }
  if (kind === 'every' && typeof every === 'number' && isPlain) {
    return { kind: 'every', text: every % 1000 === 0 ? `${every / 1000}s` : `${every}ms`, zone };
  }
  return { kind: 'trigger', text: trigger ? pretty(trigger.json) : '', zone };
}

/** What the API takes. Undefined while nothing is written, or what is written is no JSON. */
function orderOf({ kind, text, zone }: Timing): object | undefined {
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

const typingMs = 300;

export function RescheduleDialog({ task, onClose, onSaved }: DialogProps) {
  const [timing, setTiming] = useState(() => timingOf(task));
  const [shown, setShown] = useState<{ order: string; preview?: TaskPreview; problem?: Problem }>();
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setIsBusy] = useState(false);
  const id = useId();
  const textId = useId();
  const zones = useId();
  const order = orderOf(timing);
  const orderText = JSON.stringify(order);
  useEffect(() => {
    if (orderText === undefined) return;
    const controller = new AbortController();
    const waiting = setTimeout(async () => {
      try {
        const body = { ...JSON.parse(orderText), count: 10 };
        const path = taskPath(task.id, '/preview');
        const preview = await post<TaskPreview>(path, body, controller.signal);
        setShown({ order: orderText, preview });
      } catch (error) {
        if (controller.signal.aborted) return;
        if (error instanceof Problem) setShown({ order: orderText, problem: error });
      }
    }, typingMs);
    return () => {
      clearTimeout(waiting);
      controller.abort();
    };
  }, [orderText, task.id]);
  const current = shown?.order === orderText ? shown : undefined;
  const { name, hint, hasZone } = kinds[timing.kind];
  const save = async () => {
    setIsBusy(true);
    try {
      await patch(taskPath(task.id), order);
      tell(`Rescheduled ${task.id}.`);
      onSaved();
      onClose();
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
    } finally {
      setIsBusy(false);
      touch();
    }
  };
  return (
    <Dialog title={`Reschedule ${task.id}`} onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (current?.preview && !isBusy) void save();
        }}
      >
        <div class="fields">
          <Select
            label="When"
            value={timing.kind}
            options={Object.entries(kinds).map(([kind, words]) => [kind, words.name])}
            onSet={(kind) => setTiming({ ...timing, kind: kind as Kind, text: '' })}
            testId="timing-kind"
          />
          <div class="field grow">
            <label htmlFor={textId}>{name}</label>
            {timing.kind === 'trigger' ? (
              <textarea
                id={textId}
                rows={6}
                spellcheck={false}
                aria-describedby={id}
                value={timing.text}
                onInput={(event) => setTiming({ ...timing, text: event.currentTarget.value })}
                data-testid="timing-text"
              />
            ) : (
              <input
                id={textId}
                type="text"
                spellcheck={false}
                autoComplete="off"
                aria-describedby={id}
                value={timing.text}
                onInput={(event) => setTiming({ ...timing, text: event.currentTarget.value })}
                data-testid="timing-text"
              />
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
                value={timing.zone}
                onInput={(event) => setTiming({ ...timing, zone: event.currentTarget.value })}
                data-testid="timing-zone"
              />
              <datalist id={zones}>
                {['UTC', ...Intl.supportedValuesOf('timeZone')].map((zone) => (
                  <option key={zone} value={zone} />
                ))}
              </datalist>
            </label>
          )}
        </div>
        <Trouble problem={problem ?? current?.problem} />
        {order === undefined && timing.text.trim() !== '' && (
          <p class="trouble" role="alert">
            This is not JSON.
          </p>
        )}
        <div class="columns even" data-testid="preview">
          <div>
            <h3>As it is</h3>
            <p class="lead">{task.trigger?.words}</p>
            <Occurrences
              label="Occurrences as it is"
              occurrences={current?.preview?.current.occurrences ?? task.occurrences}
              zone={task.trigger?.timeZone ?? null}
            />
          </div>
          <div>
            <h3>As it would be</h3>
            <p class="lead" aria-live="polite">
              {current?.preview && (current.preview.proposed.trigger?.words ?? 'No occurrence.')}
            </p>
            {current?.preview ? (
              <Occurrences
                label="Occurrences as it would be"
                occurrences={current.preview.proposed.occurrences}
                zone={current.preview.proposed.trigger?.timeZone ?? null}
              />
            ) : (
              <Empty>{order && !current ? 'Working it out…' : 'Say when it should run.'}</Empty>
            )}
          </div>
        </div>
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="primary"
            disabled={!current?.preview || isBusy}
            data-testid="save"
          >
            Save
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

const modes = {
  overlap: ['skip', 'queueOne', 'queueAll', 'allow', 'replace'],
  catchUp: ['none', 'latest', 'all'],
} as const;

/** What is edited, as texts. */
interface Draft {
  readonly payload: string;
  readonly queue: string;
  readonly group: string;
  readonly retries: string;
  readonly timeout: string;
  readonly overlap: string;
  readonly catchUp: string;
  readonly keepFinished: string;
}

function draftOf({ payload, queue, group, policies }: ShownTask): Draft {
  return {
    payload: payload === undefined ? '' : pretty(payload),
    queue,
    group: group ?? '',
    retries: policies.retry === undefined ? '' : `${policies.retry.limit}`,
    timeout: policies.timeoutMs == null ? '' : `${policies.timeoutMs}ms`,
    overlap: policies.overlap?.mode ?? '',
    catchUp: policies.catchUp?.mode ?? '',
    keepFinished: policies.keepFinished === undefined ? '' : `${policies.keepFinished}`,
  };
}

/**
 * Only what differs: what is left alone stays as it is, also where somebody else changes it meanwhile.
 *
 * @throws SyntaxError when the payload is not JSON
 */
function changesOf(before: Draft, after: Draft, { policies }: ShownTask): Record<string, unknown> {
  const changed = (name: keyof Draft) => after[name] !== before[name];
  return {
    ...(changed('payload') && { payload: JSON.parse(after.payload) }),
    ...(changed('queue') && { queue: after.queue }),
    ...(changed('group') && { group: after.group.trim() === '' ? null : after.group }),
    ...(changed('retries') && { retry: retryOf(Number(after.retries), policies.retry) }),
    ...(changed('timeout') && { timeout: after.timeout.trim() }),
    ...(changed('overlap') && { overlap: after.overlap }),
    ...(changed('catchUp') && { catchUp: after.catchUp }),
    ...(changed('keepFinished') && { keepFinished: after.keepFinished === 'true' }),
  };
}

/** Another number of retries, and all else of the policy as it is: what is given replaces it as a whole. */
function retryOf(limit: number, policy: ShownTask['policies']['retry']): object {
  if (!policy) return { limit };
  const { backoff, minMs, maxMs, jitter, whenExhausted } = policy;
  return { limit, backoff, min: minMs, max: maxMs, jitter, whenExhausted };
}

export function EditDialog({ task, onClose, onSaved }: DialogProps) {
  const [before] = useState(() => draftOf(task));
  const [draft, setDraft] = useState(before);
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setIsBusy] = useState(false);
  const field = (name: keyof Draft) => ({
    value: draft[name],
    'data-testid': `edit-${name}`,
    onInput: (event: { currentTarget: { value: string } }) => {
      const { value } = event.currentTarget;
      setDraft((current) => ({ ...current, [name]: value }));
    },
  });
  const isChanged = JSON.stringify(draft) !== JSON.stringify(before);
  const save = async () => {
    setIsBusy(true);
    setProblem(undefined);
    try {
      await patch(taskPath(task.id), changesOf(before, draft, task));
      tell(`Changed ${task.id}.`);
      onSaved();
      onClose();
    } catch (error) {
      setProblem(
        error instanceof Problem ? error : new Problem('JSON', 0, 'The payload is not JSON.'),
      );
    } finally {
      setIsBusy(false);
      touch();
    }
  };
  return (
    <Dialog title={`Edit ${task.id}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isChanged && !isBusy) void save();
        }}
      >
        {task.state === 'running' && (
          <p class="note-line">It is running. That run goes on as it began.</p>
        )}
        <label>
          <span>Payload (JSON)</span>
          <textarea rows={8} spellcheck={false} {...field('payload')} />
        </label>
        <div class="fields">
          <label class="grow">
            <span>Queue</span>
            <input type="text" maxLength={255} required {...field('queue')} />
          </label>
          <label class="grow">
            <span>Group</span>
            <input type="text" maxLength={255} placeholder="none" {...field('group')} />
          </label>
        </div>
        <div class="fields">
          <label>
            <span>Retries</span>
            <input type="number" min={0} step={1} {...field('retries')} />
          </label>
          <label>
            <span>Time limit</span>
            <input type="text" placeholder="none" {...field('timeout')} />
          </label>
          <Mode label="Overlap" values={modes.overlap} field={field('overlap')} />
          <Mode label="Catching up" values={modes.catchUp} field={field('catchUp')} />
          <Mode
            label="Keep when finished"
            values={['true', 'false']}
            field={field('keepFinished')}
          />
        </div>
        <Trouble problem={problem} />
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!isChanged || isBusy} data-testid="save">
            Save
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

interface ModeProps {
  label: string;
  values: readonly string[];
  field: { value: string; onInput: (event: { currentTarget: { value: string } }) => void };
}

const valueWords: Readonly<Record<string, string>> = {
  ...{ true: 'yes', false: 'no', none: 'none', latest: 'the latest', all: 'all' },
  ...{ skip: 'skip', queueOne: 'queue one', queueAll: 'queue all', allow: 'allow' },
  replace: 'replace',
};

function Mode({ label, values, field }: ModeProps) {
  return (
    <label>
      <span>{label}</span>
      <select {...field}>
        {field.value === '' && <option value="">as defined</option>}
        {values.map((value) => (
          <option key={value} value={value}>
            {valueWords[value]}
          </option>
        ))}
      </select>
    </label>
  );
}
