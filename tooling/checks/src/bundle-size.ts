import { join } from 'node:path';
import esbuildPlugin from '@size-limit/esbuild';
import filePlugin from '@size-limit/file';
import type { BuildOptions } from 'esbuild';
import sizeLimit from 'size-limit';
import type { Imports } from './budgets.ts';
import { root } from './workspace.ts';

/** The built file behind an import path of this workspace: `@sched/core/testing`. */
export function builtFile(specifier: string): string {
  const [, id = '', subpath] = specifier.split('/');
  return join(root, 'packages', id, 'dist', subpath ?? '', 'index.js');
}

/**
 * Bundles the imports, minified, and gives the gzipped size in bytes.
 *
 * @param resolve finds the file of an import path.
 * @param external packages that do not count.
 */
export async function bundleSize(
  imports: Imports,
  resolve = builtFile,
  external: string[] = [],
): Promise<number> {
  const namesByFile = Object.fromEntries(
    Object.entries(imports).map(([specifier, names]) => [
      resolve(specifier),
      names.includes('*') ? '*' : `{ ${names.join(', ')} }`,
    ]),
  );
  const check = {
    files: Object.keys(namesByFile),
    import: namesByFile,
    gzip: true,
    ignore: external,
    modifyEsbuildConfig: (config: BuildOptions): BuildOptions => ({
      ...config,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      logLevel: 'silent',
      // An adapter's import of core leads to the same files as the user's own.
      plugins: [
        {
          name: 'workspace',
          setup(build) {
            build.onResolve({ filter: /^@sched\// }, ({ path }) =>
              external.includes(path) ? { path, external: true } : { path: resolve(path) },
            );
          },
        },
      ],
    }),
  };
  const results = await sizeLimit([...esbuildPlugin, ...filePlugin], { checks: [check] });
  const [result] = Object.values(results);
  if (typeof result?.size !== 'number') throw new Error('size-limit measured nothing');
  return result.size;
}

/** Says that a bundle is over its budget. */
export function sizeProblems(what: string, bytes: number, maxBytes: number): string[] {
  return bytes > maxBytes
    ? [`${what}: ${bytes} B gzipped, ${bytes - maxBytes} over ${maxBytes}`]
    : [];
}
