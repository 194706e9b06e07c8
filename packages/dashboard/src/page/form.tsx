/** @jsxImportSource preact */

import { useState } from 'preact/hooks';
import { Problem } from './api.js';
import { touch } from './live.js';

/** How it goes with what a form sends. */
export interface Sending {
  readonly isBusy: boolean;
  /** Why it was not done; stays until it is sent again. */
  readonly problem: Problem | undefined;
  /** @param work sends it; does nothing while something is under way */
  send(work: () => Promise<void>): void;
}

export function useSending(): Sending {
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setIsBusy] = useState(false);
  const send = async (work: () => Promise<void>) => {
    if (isBusy) return;
    setIsBusy(true);
    setProblem(undefined);
    try {
      await work();
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem('PAGE', 0, String(error)));
    } finally {
      setIsBusy(false);
      touch();
    }
  };
  return { isBusy, problem, send: (work) => void send(work) };
}

/** @throws Problem when it is not JSON */
export function payloadOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('JSON', 0, 'The payload is not JSON.');
  }
}

interface ButtonsProps {
  name: string;
  isReady: boolean;
  onClose: () => void;
}

/** What a form in a dialog ends with. */
export function Buttons({ name, isReady, onClose }: ButtonsProps) {
  return (
    <footer>
      <button type="button" onClick={onClose}>
        Cancel
      </button>
      <button type="submit" class="primary" disabled={!isReady} data-testid="save">
        {name}
      </button>
    </footer>
  );
}
