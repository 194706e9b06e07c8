import { checkMembers, type PayloadCodec, SchedError } from '@sched/core';
import { fromBase64, invalid, isCryptoKey, type KeyMaterial, readKeys, toBase64 } from './keys.js';

export interface EncryptionOptions {
  /** The keys, by ids that stand in clear beside what they encrypted. Those of the past are for decrypting. */
  readonly keys: Readonly<Record<string, KeyMaterial | undefined>>;
  /** The id of the key that encrypts. */
  readonly current: string;
  /**
   * What else has to be the same to decrypt, such as the name of the deployment: with it, what was encrypted elsewhere
   * under the same keys is refused. Not secret, not stored, and not to be changed later. Default none.
   */
  readonly context?: string;
  /** Encodes payloads before they are encrypted, for types that JSON does not have. Default: JSON. */
  readonly codec?: PayloadCodec;
}

const algorithm = 'AES-GCM';
/** The version of the form: version, id of the key, and the base64 of nonce, ciphertext and tag. */
const version = '1';
const nonceBytes = 12;

/**
 * Encrypts payloads at rest, by AES-256-GCM with a new random nonce each time.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID` when there is no key, the current one is not among them, one cannot be used,
 *   or an option is not known
 */
export function encryption(options: EncryptionOptions): PayloadCodec {
  checkMembers('The options of encryption', options, ['keys', 'current', 'context', 'codec']);
  const { keys: given, current, context = '', codec } = options;
  const keys = readKeys(given);
  const currentKey = keys.get(current);
  if (!currentKey) {
    throw invalid(
      'The current key is not one of the keys. Name in current the id of the one that encrypts.',
    );
  }
  if (isCryptoKey(given[current]) && !given[current].usages.includes('encrypt')) {
    throw invalid('The current key is a CryptoKey that may not encrypt.');
  }
  const inner = codec ? `+${codec.name}` : '';
  const name = `aes-256-gcm${inner}`;

  /** Binds a text to what it is and to the key that it names, so that none of it can be exchanged. */
  const bound = (keyId: string): Uint8Array<ArrayBuffer> =>
    new TextEncoder().encode(JSON.stringify(['@sched/encryption', version, name, keyId, context]));

  return {
    name,
    input: codec?.input ?? (codec ? 'payload' : 'json'),
    async encode(payload) {
      const plain = new TextEncoder().encode(await encodeBy(codec, payload));
      const iv = crypto.getRandomValues(new Uint8Array(nonceBytes));
      const params = { name: algorithm, iv, additionalData: bound(current) };
      const sealed = new Uint8Array(await crypto.subtle.encrypt(params, await currentKey, plain));
      const bytes = new Uint8Array(nonceBytes + sealed.length);
      bytes.set(iv);
      bytes.set(sealed, nonceBytes);
      return `${version}.${current}.${toBase64(bytes)}`;
    },
    async decode(text) {
      const [form, keyId = '', encoded = '', ...rest] = text.split('.');
      const bytes = fromBase64(encoded);
      if (form !== version || rest.length > 0 || !bytes) {
        throw unreadable('it is not of the form that this version of @sched/encryption writes.');
      }
      const key = keys.get(keyId);
      if (!key) {
        throw unreadable(
          `it was encrypted with the key "${keyId}", which is not one of the keys. Add it, to decrypt what is left of it.`,
        );
      }
      const iv = bytes.subarray(0, nonceBytes);
      const params = { name: algorithm, iv, additionalData: bound(keyId) };
      const plain = await crypto.subtle
        .decrypt(params, await key, bytes.subarray(nonceBytes))
        .catch(() => {
          throw unreadable(
            `it was changed since it was encrypted, or the key "${keyId}" or the context is another one now.`,
          );
        });
      return decodeBy(codec, new TextDecoder().decode(plain));
    },
  };
}

/** What the codec within throws may tell what is to be encrypted, and errors are stored in clear. */
async function encodeBy(codec: PayloadCodec | undefined, payload: unknown): Promise<string> {
  if (!codec) return payload as string;
  let text: unknown;
  try {
    text = await codec.encode(payload);
  } catch {
    // What it says is left out.
  }
  if (typeof text === 'string') return text;
  throw new SchedError(
    'SCHED_PAYLOAD_INVALID',
    `the codec "${codec.name}" within did not give text for it.`,
  );
}

async function decodeBy(codec: PayloadCodec | undefined, text: string): Promise<unknown> {
  if (!codec) return text;
  try {
    return await codec.decode(text);
  } catch {
    throw unreadable(`the codec "${codec.name}" within cannot decode what was decrypted.`);
  }
}

function unreadable(why: string): SchedError {
  return new SchedError('SCHED_RECORD_UNREADABLE', why);
}
