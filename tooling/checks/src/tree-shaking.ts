import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { eachMapping, TraceMap } from '@jridgewell/trace-mapping';
import { build } from 'esbuild';
import { rollup } from 'rollup';
import { builtFile } from './bundle-size.ts';
import { root } from './workspace.ts';

type Resolve = (specifier: string) => string;
type Bundle = (code: string, resolve: Resolve) => Promise<Set<string>>;

const workspaceImport = /^@sched\//;
const entry = 'sched:entry';

/** Each gives the source files of which something is left after bundling a piece of code. */
export const bundlers: Record<'esbuild' | 'rollup', Bundle> = {
  async esbuild(code, resolve) {
    const { outputFiles } = await build({
      stdin: { contents: code, resolveDir: root },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      outfile: join(root, 'bundle.js'),
      write: false,
      sourcemap: 'external',
      logLevel: 'silent',
      plugins: [
        {
          name: 'workspace',
          setup({ onResolve }) {
            onResolve({ filter: workspaceImport }, ({ path }) => ({ path: resolve(path) }));
          },
        },
      ],
    });
    const text = (name: string) => outputFiles.find(({ path }) => path.endsWith(name))?.text ?? '';
    return sources(text('bundle.js.map'));
  },

  async rollup(code, resolve) {
    const bundle = await rollup({
      input: entry,
      external: /^node:/,
      onLog() {},
      plugins: [
        {
          name: 'workspace',
          resolveId: (path) =>
            path === entry ? path : workspaceImport.test(path) ? resolve(path) : null,
          // Rollup follows source maps only where it is handed them.
          load(path) {
            if (path === entry) return code;
            const map = `${path}.map`;
            return {
              code: readFileSync(path, 'utf8'),
              map: existsSync(map) ? readFileSync(map, 'utf8') : null,
            };
          },
        },
      ],
    });
    const { output } = await bundle.generate({
      format: 'esm',
      sourcemap: 'hidden',
      file: join(root, 'bundle.js'),
    });
    return sources(output[0].map?.toString() ?? '');
  },
};

/** The files, relative to the repository, from which at least one character of a bundle came. */
function sources(map: string): Set<string> {
  const found = new Set<string>();
  eachMapping(new TraceMap(map), ({ source }) => {
    if (source !== null && source !== entry && source !== '<stdin>') {
      found.add(relative(root, join(root, source)));
    }
  });
  return found;
}

/** A part of the packages, recognised by where its source lies. */
export interface Part {
  name: string;
  files: RegExp;
}

/** Says which of the parts left something in a bundle of a piece of code. */
export async function partsIn(
  bundler: Bundle,
  code: string,
  parts: Part[],
  resolve: Resolve = builtFile,
): Promise<string[]> {
  const found = [...(await bundler(code, resolve))];
  return parts
    .filter(({ files }) => found.some((source) => files.test(source)))
    .map(({ name }) => name);
}
