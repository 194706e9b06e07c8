/** Reads keys. Nothing that is said about one has any of it in it. */

import { SchedError } from '@sched/core';

/** By another name than the global one, which only exists where the types of browsers do. */
export type AesKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** A key of 256 bits: its 32 bytes, those as base64 or base64url, or a `CryptoKey` for AES-GCM, which need not be extractable. */
export type KeyMaterial = string | Uint8Array | AesKey;

export type KeyRing = ReadonlyMap<string, Promise<AesKey>>;

const keyBytes = 32;
/** An id stands in each encrypted text, which it must not make ambiguous. */
const idPattern = /^[\w-]{1,64}$/;

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when there is no key, or one cannot be used */
export function readKeys(keys: Readonly<Record<string, KeyMaterial | undefined>>): KeyRing {
  const given = typeof keys === 'object' && keys !== null ? Object.entries(keys) : [];
  if (given.length === 0) {
    throw invalid(
      'There is no key to encrypt payloads with. Give at least one in keys, by its id.',
    );
  }
  // Checked as a whole before the first is imported.
  const materials = given.map(([id, material]) => [id, readMaterial(id, material)] as const);
  return new Map(
    materials.map(([id, material]) => {
      return [id, isCryptoKey(material) ? Promise.resolve(material) : importKey(material)];
    }),
  );
}

export function invalid(message: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', message);
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<AesKey> {
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

function readMaterial(id: string, material: unknown): Uint8Array<ArrayBuffer> | AesKey {
  if (!idPattern.test(id)) {
    throw invalid('The id of a key has to be 1 to 64 letters, digits, hyphens and underscores.');
  }
  if (isCryptoKey(material)) {
    const { name, length } = material.algorithm as {
      readonly name: string;
      readonly length?: number;
    };
    if (name === 'AES-GCM' && length === keyBytes * 8 && material.usages.includes('decrypt')) {
      return material;
    }
    throw invalid(`The key "${id}" is no CryptoKey for AES-GCM of 256 bits that may decrypt.`);
  }
  if (material === undefined || material === '') {
    throw invalid(
      `The key "${id}" is missing. If it comes from the environment, it is not set there.`,
    );
  }
  const bytes = typeof material === 'string' ? fromBase64(material) : material;
  if (bytes instanceof Uint8Array && bytes.length === keyBytes) return new Uint8Array(bytes);
  throw invalid(
    `The key "${id}" is not of 32 bytes, or of these as base64. Make one with: openssl rand -base64 32`,
  );
}

export function isCryptoKey(value: unknown): value is AesKey {
  return typeof CryptoKey === 'function' && value instanceof CryptoKey;
}

/** @returns undefined when the text is not base64 or base64url */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // Arguments are limited in number, and a payload is not.
  for (let start = 0; start < bytes.length; start += 8192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(binary);
}
