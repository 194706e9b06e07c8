/** @jsxImportSource preact */

import { useState } from 'preact/hooks';
import { patch, post, taskPath } from './api.js';
import { Buttons, useSending } from './form.js';
import { Occurrences } from './occurrences.js';
import { Dialog, Empty, Trouble, tell } from './parts.js';
import { orderOf, TimingFields, timingOf, usePreview } from './timing.js';
import type { ShownTask, TaskPreview } from './types.js';

interface RescheduleProps {
  task: ShownTask;
  onClose: () => void;
  onSaved: () => void;
}

/** Another schedule for a task, with what would come of it before it is saved. */
export function RescheduleDialog({ task, onClose, onSaved }: RescheduleProps) {
  const [timing, setTiming] = useState(() => timingOf(task));
  const { isBusy, problem, send } = useSending();
  const order = orderOf(timing);
  const current = usePreview(order, (asked, signal) =>
    post<TaskPreview>(taskPath(task.id, '/preview'), { ...asked, count: 10 }, signal),
  );
  const { preview } = current;
  const save = async () => {
    await patch(taskPath(task.id), order);
    tell(`Rescheduled ${task.id}.`);
    onSaved();
    onClose();
  };
  return (
    <Dialog title={`Reschedule ${task.id}`} onClose={onClose} wide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (preview) send(save);
        }}
      >
        <TimingFields timing={timing} onSet={setTiming} />
        <Trouble problem={problem ?? current.problem} />
        <div class="columns even" data-testid="preview">
          <div>
            <h3>As it is</h3>
            <p class="lead">{task.trigger?.words}</p>
            <Occurrences
              label="Occurrences as it is"
              occurrences={preview?.current.occurrences ?? task.occurrences}
              zone={task.trigger?.timeZone ?? null}
            />
          </div>
          <div>
            <h3>As it would be</h3>
            <p class="lead" aria-live="polite">
              {preview && (preview.proposed.trigger?.words ?? 'No occurrence.')}
            </p>
            {preview ? (
              <Occurrences
                label="Occurrences as it would be"
                occurrences={preview.proposed.occurrences}
                zone={preview.proposed.trigger?.timeZone ?? null}
              />
            ) : (
              <Empty>
                {order && !current.problem ? 'Working it out…' : 'Say when it should run.'}
              </Empty>
            )}
          </div>
        </div>
        <Buttons name="Save" isReady={preview !== undefined && !isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}
