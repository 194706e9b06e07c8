/**
 * An id that nothing else has. Those made later sort after those made a millisecond before, so that what databases keep
 * in their order grows at one end. It is a UUID of version 7: https://www.rfc-editor.org/rfc/rfc9562#section-5.7
 */
export function newId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
}
