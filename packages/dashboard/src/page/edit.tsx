/** @jsxImportSource preact */

import { useState } from 'preact/hooks';
import { patch, taskPath } from './api.js';
import { Buttons, payloadOf, useSending } from './form.js';
import { lengthText, pretty } from './format.js';
import { Dialog, Select, Trouble, tell } from './parts.js';
import type { ShownTask } from './types.js';

/** What is edited, as texts. What the server does not know is empty: it is as the definition says. */
interface Draft {
  readonly payload: string;
  readonly queue: string;
  readonly group: string;
  readonly retries: string;
  readonly backoff: string;
  readonly firstWait: string;
  readonly longestWait: string;
  readonly jitter: string;
  readonly whenExhausted: string;
  readonly timeout: string;
  readonly overlap: string;
  readonly catchUp: string;
  readonly delivery: string;
  readonly maxDeliveries: string;
  readonly keepFinished: string;
}

function draftOf({ payload, queue, group, policies }: ShownTask): Draft {
  const { retry, timeoutMs, overlap, catchUp, delivery, maxDeliveries, keepFinished } = policies;
  const text = (value: unknown) => (value === undefined ? '' : `${value}`);
  return {
    payload: payload === undefined ? '' : pretty(payload),
    queue,
    group: group ?? '',
    retries: text(retry?.limit),
    backoff: text(retry?.backoff),
    firstWait: retry === undefined ? '' : lengthText(retry.minMs),
    longestWait: retry === undefined ? '' : lengthText(retry.maxMs),
    jitter: text(retry?.jitter),
    whenExhausted: text(retry?.whenExhausted),
    timeout: timeoutMs == null ? '' : lengthText(timeoutMs),
    overlap: text(overlap?.mode),
    catchUp: text(catchUp?.mode),
    delivery: text(delivery),
    maxDeliveries: text(maxDeliveries),
    keepFinished: text(keepFinished),
  };
}

/**
 * Only what differs: what is left alone stays as it is, also where somebody else changes it meanwhile.
 *
 * @throws Problem when the payload is not JSON
 */
function changesOf(before: Draft, after: Draft): Record<string, unknown> {
  const changed = (...names: readonly (keyof Draft)[]) =>
    names.some((name) => after[name] !== before[name]);
  return {
    ...(changed('payload') && { payload: payloadOf(after.payload) }),
    ...(changed('queue') && { queue: after.queue }),
    ...(changed('group') && { group: after.group.trim() === '' ? null : after.group }),
    ...(changed(...retryNames) && { retry: retryOf(after) }),
    ...(changed('timeout') && { timeout: after.timeout.trim() }),
    ...(changed('overlap') && { overlap: after.overlap }),
    ...(changed('catchUp') && { catchUp: after.catchUp }),
    ...(changed('delivery') && { delivery: after.delivery }),
    ...(changed('maxDeliveries') && { maxDeliveries: Number(after.maxDeliveries) }),
    ...(changed('keepFinished') && { keepFinished: after.keepFinished === 'true' }),
  };
}

const retryNames = [
  ...(['retries', 'backoff', 'firstWait', 'longestWait', 'jitter', 'whenExhausted'] as const),
];

/** The whole policy: what is given replaces it as a whole. */
function retryOf(draft: Draft): object {
  const { retries, backoff, firstWait, longestWait, jitter, whenExhausted } = draft;
  return {
    ...(retries !== '' && { limit: Number(retries) }),
    ...(backoff !== '' && { backoff }),
    ...(firstWait.trim() !== '' && { min: firstWait.trim() }),
    ...(longestWait.trim() !== '' && { max: longestWait.trim() }),
    ...(jitter !== '' && { jitter: Number(jitter) }),
    ...(whenExhausted !== '' && { whenExhausted }),
  };
}

interface EditProps {
  task: ShownTask;
  onClose: () => void;
  onSaved: () => void;
}

/** Changes of a task, but for its schedule. */
export function EditDialog({ task, onClose, onSaved }: EditProps) {
  const [before] = useState(() => draftOf(task));
  const [draft, setDraft] = useState(before);
  const { isBusy, problem, send } = useSending();
  const set = (name: keyof Draft, value: string) =>
    setDraft((current) => ({ ...current, [name]: value }));
  const field = (name: keyof Draft) => ({
    value: draft[name],
    'data-testid': `edit-${name}`,
    onInput: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
  });
  const mode = (label: string, name: keyof typeof modes) => (
    <Select
      label={label}
      value={draft[name]}
      options={[...(draft[name] === '' ? [asDefined] : []), ...modes[name]]}
      onSet={(value) => set(name, value)}
      testId={`edit-${name}`}
    />
  );
  const isChanged = JSON.stringify(draft) !== JSON.stringify(before);
  const save = async () => {
    await patch(taskPath(task.id), changesOf(before, draft));
    tell(`Changed ${task.id}.`);
    onSaved();
    onClose();
  };
  return (
    <Dialog title={`Edit ${task.id}`} onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isChanged) send(save);
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
          {mode('Waits between', 'backoff')}
          <label>
            <span>First wait</span>
            <input type="text" {...field('firstWait')} />
          </label>
          <label>
            <span>Longest wait</span>
            <input type="text" {...field('longestWait')} />
          </label>
          <label>
            <span>Jitter, 0 to 1</span>
            <input type="number" min={0} max={1} step="any" {...field('jitter')} />
          </label>
          {mode('After the last', 'whenExhausted')}
        </div>
        <div class="fields">
          <label>
            <span>Time limit</span>
            <input type="text" placeholder="none" {...field('timeout')} />
          </label>
          {mode('Overlap', 'overlap')}
          {mode('Catching up', 'catchUp')}
          {mode('Delivery', 'delivery')}
          <label>
            <span>Deliveries, at most</span>
            <input type="number" min={1} step={1} {...field('maxDeliveries')} />
          </label>
          {mode('Keep when finished', 'keepFinished')}
        </div>
        <Trouble problem={problem} />
        <Buttons name="Save" isReady={isChanged && !isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}

const asDefined = ['', 'as defined'] as const;

/** What there is to choose from, each with its words. */
const modes = {
  backoff: [
    ['exponential', 'twice as long each'],
    ['fixed', 'as long each'],
  ],
  whenExhausted: [
    ['continue', 'go on'],
    ['pause', 'pause'],
  ],
  overlap: [
    ['skip', 'skip'],
    ['queueOne', 'queue one'],
    ['queueAll', 'queue all'],
    ['allow', 'allow'],
    ['replace', 'replace'],
  ],
  catchUp: [
    ['none', 'none'],
    ['latest', 'the latest'],
    ['all', 'all'],
  ],
  delivery: [
    ['atLeastOnce', 'at least once'],
    ['atMostOnce', 'at most once'],
  ],
  keepFinished: [
    ['true', 'yes'],
    ['false', 'no'],
  ],
} as const;
