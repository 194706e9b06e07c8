/** A reproducible sequence of numbers in [0, 1): the generator called mulberry32. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of a list. */
export function pick<T>(random: () => number, list: readonly T[]): T {
  const chosen = list[Math.floor(random() * list.length)];
  if (chosen === undefined) throw new Error('Nothing to pick from.');
  return chosen;
}

/**
 * A zone's name in random upper and lower case. What is learnt of a zone is kept by the name that it was asked for by,
 * so this is a zone of which nothing is known yet.
 */
export function inAnyCase(random: () => number, name: string): string {
  return [...name]
    .map((letter) => (random() < 0.5 ? letter.toLowerCase() : letter.toUpperCase()))
    .join('');
}
