import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { eachMapping, TraceMap } from '@jridgewell/trace-mapping';
import { build } from 'esbuild';
import { rollup } from 'rollup';
import { builtFile } from './bundle-size.ts';
import { root } from './workspace.ts';

type Resolve = (specifier: string) => string;
type Bundle = (code: string, resolve: Resolve) => Promise<{ code: string; map: string }>;

const workspaceImport = /^@sched\//;
const entry = 'sched:entry';

/** Each gives what is left of a piece of code after bundling, and where that came from. */
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
    return { code: text('bundle.js'), map: text('bundle.js.map') };
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
    return { code: output[0].code, map: output[0].map?.toString() ?? '' };
  },
};

/** How many characters of a bundle came from each file; the files relative to the repository. */
function contributions({ code, map }: { code: string; map: string }): Map<string, number> {
  const lines = code.split('\n');
  const segments: { source: string | null; line: number; column: number }[] = [];
  eachMapping(new TraceMap(map), ({ source, generatedLine, generatedColumn }) => {
    segments.push({ source, line: generatedLine, column: generatedColumn });
  });
  const lengths = new Map<string, number>();
  for (const [index, { source, line, column }] of segments.entries()) {
    if (source === null) continue;
    const next = segments[index + 1];
    const end = next?.line === line ? next.column : (lines[line - 1]?.length ?? column);
    const file = relative(root, join(root, source));
    lengths.set(file, (lengths.get(file) ?? 0) + end - column);
  }
  return lengths;
}

/** A part of the packages, recognised by where its source lies. */
export interface Part {
  name: string;
  files: RegExp;
}

/**
 * As much of a part may stay behind, in characters. A bundler has to keep a constant such as
 * `2 * DAY_MS`, because it cannot know that this has no effect; any function is longer.
 */
const crumbs = 100;

/** Says which of the parts a bundle of a piece of code contains. */
export async function partsIn(
  bundler: Bundle,
  code: string,
  parts: Part[],
  resolve: Resolve = builtFile,
): Promise<string[]> {
  const found = [...contributions(await bundler(code, resolve))];
  return parts
    .filter(({ files }) => {
      const lengths = found.filter(([file]) => files.test(file)).map(([, length]) => length);
      return lengths.reduce((sum, length) => sum + length, 0) > crumbs;
    })
    .map(({ name }) => name);
}
