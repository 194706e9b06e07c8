/** Formats any value for an error message, as one short line. */
export function show(value: unknown): string {
  let text: string | undefined;
  try {
    text =
      typeof value === 'number' || value instanceof Date ? String(value) : JSON.stringify(value);
  } catch {
    // JSON cannot hold a BigInt or a cycle, so show the type.
  }
  text ??= typeof value;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
