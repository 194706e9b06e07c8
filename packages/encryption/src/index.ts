export { type EncryptionOptions, encryption } from './encryption.js';
export type { AesKey, KeyMaterial } from './keys.js';
