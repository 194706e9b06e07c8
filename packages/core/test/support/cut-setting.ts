import { defineTask, type SchedError } from '../../src/index.js';
import { interceptStore } from './intercepted-store.js';
import { createSetting } from './setting.js';

/** A setting with a handle that can be cut off, and a task that waits to be told to end. */
export function createCutSetting() {
  const setting = createSetting();
  const { clock, store } = setting;
  const line = { isCut: false };
  const cut = interceptStore(store, async (call, proceed) => {
    if (line.isCut) throw new Error('cut off');
    return call === 'close' ? undefined : proceed();
  });
  const aborts: string[] = [];
  /** Runs for so long, and notes when and why it was told to stop; then it goes on or stops, as it is told to. */
  const long = (lengthMs: number, heedsSignal = true) =>
    defineTask('long', {
      handler: async ({ signal }) => {
        signal.addEventListener('abort', () => {
          aborts.push(`${(signal.reason as SchedError).code}@${clock.elapsed()}`);
        });
        await clock.sleep(lengthMs, heedsSignal ? { signal } : {});
      },
      retry: 0,
    });
  return { ...setting, line, cut, aborts, long };
}
