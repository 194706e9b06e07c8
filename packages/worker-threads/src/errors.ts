/** Takes errors across threads: structured cloning keeps neither their code nor the name of their class. */

import type { SentError, SentThrown } from './thread-run.js';

/** How many causes of causes go along. */
const maxDepth = 5;

export function pack(thrown: unknown, depth = 0): SentThrown {
  if (!(thrown instanceof Error)) return { value: cloneable(thrown) };
  const { name, message, stack } = thrown;
  const { code, permanent } = thrown as { readonly code?: unknown; readonly permanent?: unknown };
  const error: SentError = {
    name: String(name),
    message: String(message),
    ...(typeof stack === 'string' && { stack }),
    ...(typeof code === 'string' && { code }),
    ...(permanent === true && { permanent }),
    ...(thrown.cause !== undefined && depth < maxDepth && { cause: pack(thrown.cause, depth + 1) }),
  };
  return { error };
}

export function unpack(thrown: SentThrown): unknown {
  if ('value' in thrown) return thrown.value;
  const { message, cause, ...members } = thrown.error;
  const error = new Error(message, cause && { cause: unpack(cause) });
  for (const [member, value] of Object.entries(members)) {
    Object.defineProperty(error, member, { value, configurable: true, writable: true });
  }
  return error;
}

function cloneable(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return String(value);
  }
}
