import type { Trigger } from '../../src/trigger.js';

/** The same trigger, and how often it has been asked for a moment. */
export function counted(trigger: Trigger): { readonly trigger: Trigger; calls(): number } {
  let calls = 0;
  return {
    calls: () => calls,
    trigger: {
      ...trigger,
      next(after, context) {
        calls++;
        return trigger.next(after, context);
      },
      previous(before, context) {
        calls++;
        return trigger.previous(before, context);
      },
    },
  };
}
