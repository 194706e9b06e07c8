/** What the build makes of `src/page`. */
declare module '#page' {
  interface Packed {
    /** The beginning of the SHA-256 of the content. */
    readonly hash: string;
    /** The content, compressed, in Base64. */
    readonly gzip: string;
  }
  /** The page. It names the assets by relative addresses. */
  export const document: Packed;
  /** Below `assets/`. The name holds the hash, so that what it names never changes. */
  export const assets: readonly (Packed & { readonly name: string; readonly type: 'js' | 'css' })[];
}
