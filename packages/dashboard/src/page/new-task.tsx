/** @jsxImportSource preact */

import { useId, useState } from 'preact/hooks';
import { get, post } from './api.js';
import { Buttons, payloadOf, useSending } from './form.js';
import { ownZone } from './format.js';
import { Occurrences } from './occurrences.js';
import { Dialog, Empty, Select, Trouble, tell } from './parts.js';
import { useQuery } from './query.js';
import { navigate, taskHref } from './router.js';
import { definitions } from './stores.js';
import { orderOf, type Timing, TimingFields, usePreview } from './timing.js';
import type { Created, Preview, Summary } from './types.js';

/** A new task, with when it will run before it is created. */
export function NewTaskDialog({ onClose }: { onClose: () => void }) {
  const [draft, setDraft] = useState(() => ({
    ...{ task: definitions.value[0] ?? '', id: '', queue: '', group: '', payload: '' },
  }));
  const [timing, setTiming] = useState<Timing>({ kind: 'cron', text: '', zone: ownZone });
  const { isBusy, problem, send } = useSending();
  const { data: summary } = useQuery(
    'summary',
    (signal) => get<Summary>('summary', {}, signal),
    30_000,
  );
  const queues = useId();
  const order = orderOf(timing);
  const id = draft.id.trim();
  const { preview, problem: refusal } = usePreview(
    order && { ...order, ...(id && { id }) },
    (asked, signal) => post<Preview>('preview', { ...asked, count: 10 }, signal),
  );
  const field = (name: keyof typeof draft) => ({
    value: draft[name],
    'data-testid': `new-${name}`,
    onInput: (event: { currentTarget: { value: string } }) => {
      const { value } = event.currentTarget;
      setDraft((current) => ({ ...current, [name]: value }));
    },
  });
  const create = async () => {
    const { task, payload, ...labels } = draft;
    const given = Object.entries(labels).map(([name, value]) => [name, value.trim()] as const);
    const created = await post<Created>('tasks', {
      ...{ task, ...order },
      ...Object.fromEntries(given.filter(([, value]) => value !== '')),
      ...(payload.trim() !== '' && { payload: payloadOf(payload) }),
    });
    tell(`Created ${created.task?.id ?? id}.`);
    onClose();
    if (created.task) navigate(taskHref(created.task.id));
  };
  return (
    <Dialog title="New task" onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (preview) send(create);
        }}
      >
        <div class="fields">
          <Select
            label="Definition"
            value={draft.task}
            options={definitions.value.map((name) => [name, name])}
            onSet={(task) => setDraft({ ...draft, task })}
            testId="new-task"
          />
          <label class="grow">
            <span>Id</span>
            <input
              type="text"
              autoComplete="off"
              maxLength={255}
              placeholder="a random one"
              {...field('id')}
            />
          </label>
        </div>
        <div class="fields">
          <label class="grow">
            <span>Queue</span>
            <input
              type="text"
              list={queues}
              autoComplete="off"
              maxLength={255}
              placeholder="that of the definition"
              {...field('queue')}
            />
            <datalist id={queues}>
              {summary?.queues.map(({ value }) => (
                <option key={value} value={value} />
              ))}
            </datalist>
          </label>
          <label class="grow">
            <span>Group</span>
            <input
              type="text"
              autoComplete="off"
              maxLength={255}
              placeholder="none"
              {...field('group')}
            />
          </label>
        </div>
        <label>
          <span>Payload (JSON)</span>
          <textarea rows={5} spellcheck={false} placeholder="none" {...field('payload')} />
        </label>
        <TimingFields timing={timing} onSet={setTiming} />
        <Trouble problem={problem ?? refusal} />
        <div data-testid="preview">
          <h3>When it would run</h3>
          <p class="lead" aria-live="polite">
            {preview && (preview.trigger?.words ?? 'No occurrence.')}
          </p>
          {preview ? (
            <Occurrences
              label="When it would run"
              occurrences={preview.occurrences}
              zone={preview.trigger?.timeZone ?? null}
            />
          ) : (
            <Empty>{order && !refusal ? 'Working it out…' : 'Say when it should run.'}</Empty>
          )}
        </div>
        <Buttons name="Create" isReady={preview !== undefined && !isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}
