/// <reference path="./page-module.d.ts" />
// Named, for those who read this file as part of another package.
import { assets, document } from '#page';

/** Nothing may run, load or be sent but what comes from where the page does; nobody may frame it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const security = {
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

const types = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
} as const;

type Packed = typeof document;

/** A short answer in words. */
export function plain(status: number, text: string, headers: Record<string, string> = {}) {
  return new Response(`${text}\n`, {
    status,
    headers: {
      ...security,
      'cache-control': 'no-store',
      'content-type': 'text/plain; charset=utf-8',
      ...headers,
    },
  });
}

/** Serves what the build has made of the page, from memory. */
export class PageFiles {
  readonly #assets = new Map(assets.map((asset) => [asset.name, asset]));

  /** The page. It is looked up anew each time, because it names the assets of this version. */
  document(request: Request): Promise<Response> {
    return answer(request, document, 'text/html; charset=utf-8', 'no-cache');
  }

  /** An asset, which may be kept for ever; undefined when there is none of that name. */
  asset(request: Request, name: string): Promise<Response> | undefined {
    const asset = this.#assets.get(name);
    return (
      asset && answer(request, asset, types[asset.type], 'public, max-age=31536000, immutable')
    );
  }
}

async function answer(
  request: Request,
  { hash, gzip }: Packed,
  type: string,
  cacheControl: string,
): Promise<Response> {
  const etag = `W/"${hash}"`;
  const headers: Record<string, string> = {
    ...security,
    'cache-control': cacheControl,
    'content-type': type,
    etag,
    vary: 'accept-encoding',
  };
  if (isKnown(request.headers.get('if-none-match'), etag)) {
    return new Response(null, { status: 304, headers });
  }
  const bytes = Uint8Array.from(atob(gzip), (character) => character.charCodeAt(0));
  if (takesGzip(request.headers.get('accept-encoding'))) {
    headers['content-encoding'] = 'gzip';
    headers['content-length'] = String(bytes.length);
    return new Response(request.method === 'HEAD' ? null : bytes, { headers });
  }
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const content = await new Response(text).arrayBuffer();
  headers['content-length'] = String(content.byteLength);
  return new Response(request.method === 'HEAD' ? null : content, { headers });
}

function isKnown(given: string | null, etag: string): boolean {
  const known = (given ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  return known.includes('*') || known.includes(etag.replace(/^W\//, ''));
}

/** Whether the reader can unpack: named without a weight of zero, by itself or as one of all. */
function takesGzip(given: string | null): boolean {
  const weights = new Map(
    (given ?? '').split(',').map((each) => {
      const [name = '', weight = 'q=1'] = each.split(';').map((part) => part.trim().toLowerCase());
      return [name, Number(weight.replace(/^q=/, ''))];
    }),
  );
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}
