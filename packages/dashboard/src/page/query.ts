import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from './api.js';
import { pulse } from './live.js';
import { storeAlias } from './router.js';

/** What takes long to read is left alone for so many times as long: the server has other things to do, too. */
const restFactor = 20;

export interface Query<T> {
  /** What was read last; it stays while it is read again, and when that fails. */
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  reload(): void;
}

/**
 * Reads something, and again whenever there may be something new.
 *
 * @param key what it depends on: with another one it is something else that is read
 * @param restMs how long to leave it, at least, before it is read again unasked; 0 for as soon as something happens
 */
export function useQuery<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  restMs = 0,
): Query<T> {
  const fullKey = `${storeAlias.value ?? ''} ${key}`;
  const [state, setState] = useState<{ key: string; data?: T; problem?: Problem }>({
    key: fullKey,
  });
  const latestLoad = useRef(load);
  latestLoad.current = load;
  const reading = useRef<() => void>(() => {});
  useEffect(() => {
    const controller = new AbortController();
    let isReading = false;
    let isWanted = false;
    let readAt = 0;
    let tookMs = 0;
    const read = async (): Promise<void> => {
      isWanted = isReading;
      if (isReading) return;
      isReading = true;
      readAt = Date.now();
      try {
        const data = await latestLoad.current(controller.signal);
        if (!controller.signal.aborted) setState({ key: fullKey, data });
      } catch (error) {
        if (controller.signal.aborted) return;
        const problem = error instanceof Problem ? error : new Problem('PAGE', 0, String(error));
        setState((before) => ({
          ...(before.key === fullKey ? before : { key: fullKey }),
          problem,
        }));
      } finally {
        isReading = false;
        tookMs = Date.now() - readAt;
        if (isWanted && !controller.signal.aborted) void read();
      }
    };
    reading.current = () => void read();
    let last = -1;
    const stop = pulse.subscribe((beat) => {
      const dueMs = Math.max(restMs, restFactor * tookMs);
      if (last >= 0 && beat !== last && Date.now() - readAt >= dueMs) void read();
      last = beat;
    });
    void read();
    return () => {
      stop();
      controller.abort();
    };
  }, [fullKey, restMs]);
  const reload = useCallback(() => reading.current(), []);
  const current = state.key === fullKey ? state : { key: fullKey };
  return {
    data: 'data' in current ? current.data : undefined,
    problem: 'problem' in current ? current.problem : undefined,
    reload,
  };
}
