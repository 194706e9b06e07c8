import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { library } from '@sched-tooling/tsup';
import { build } from 'esbuild';

/** Builds what the browser gets, and writes it as the module `#page`: names, hashes and compressed bytes. */
async function buildPage(): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: { app: 'src/page/main.tsx', style: 'src/page/style.css' },
    outdir: 'dist',
    bundle: true,
    minify: true,
    write: false,
    // Not a module: it runs before the body is there, so that the page never shows in the wrong colours.
    format: 'iife',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    legalComments: 'none',
    charset: 'utf8',
  });
  const assets = outputFiles.map(({ path, contents }) => {
    const [, name, type] = /([a-z]+)\.(js|css)$/.exec(path) ?? [];
    return { ...packed(contents), name: `${name}-${hashOf(contents)}.${type}`, type };
  });
  const nameOf = (wanted: string) => `assets/${assets.find(({ type }) => type === wanted)?.name}`;
  const document = Buffer.from(html(nameOf('js'), nameOf('css')));
  const text = [
    `export const document = ${JSON.stringify(packed(document))};`,
    `export const assets = ${JSON.stringify(assets)};`,
  ];
  await writeFile('dist/page.js', `${text.join('\n')}\n`);
}

function packed(contents: Uint8Array) {
  return { hash: hashOf(contents), gzip: gzipSync(contents, { level: 9 }).toString('base64') };
}

function hashOf(contents: Uint8Array): string {
  return createHash('sha256').update(contents).digest('hex').slice(0, 16);
}

/** Every address in it is relative: the page works below any path. */
function html(script: string, style: string): string {
  const icon =
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='%232563eb'/><path d='M8 4v4l3 2' fill='none' stroke='white' stroke-width='1.6' stroke-linecap='round'/></svg>";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Scheduled tasks</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="${style}">
<script src="${script}"></script>
</head>
<body>
<noscript>This page needs JavaScript. What it shows can also be had by the command sched, or from api/openapi.json.</noscript>
</body>
</html>
`;
}

export default {
  ...library({ index: 'src/index.ts', 'local/index': 'src/local/index.ts' }),
  external: ['#page'],
  onSuccess: buildPage,
};
