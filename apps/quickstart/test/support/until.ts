import { vi } from 'vitest';

/** Waits until the condition holds; `context` is for the error when it does not. */
export async function until(
  condition: () => boolean,
  context: () => string = () => '',
): Promise<void> {
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error(`It did not come about: ${condition}\n${context()}`);
    },
    { timeout: 25_000, interval: 20 },
  );
}
