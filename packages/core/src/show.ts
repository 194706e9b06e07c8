/** A value as an error message shows it: one short line, whatever the value is. */
export function show(value: unknown): string {
  let text: string | undefined;
  try {
    text =
      typeof value === 'number' || value instanceof Date ? String(value) : JSON.stringify(value);
  } catch {
    // A BigInt or a cycle: the type has to do.
  }
  text ??= typeof value;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
