/** 0, 1, 2, … */
export function range(length: number): readonly number[] {
  return Array.from({ length }, (_, i) => i);
}
