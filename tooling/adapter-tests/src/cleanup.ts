import { afterEach } from 'vitest';

/** Gives a function that puts off work to the end of each test, the last first. */
export function cleanup(): (work: () => unknown) => void {
  let undo: (() => unknown)[] = [];
  afterEach(async () => {
    const works = undo;
    undo = [];
    for (const work of works) await work();
  });
  return (work) => {
    undo.unshift(work);
  };
}
