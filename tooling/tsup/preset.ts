import { defineConfig } from 'tsup';

/**
 * Builds a published package: ESM for Node 22, with type declarations and source maps.
 *
 * @param entry output name to source file; one for each entry of the package's `exports`.
 */
export function library(entry: Record<string, string> = { index: 'src/index.ts' }) {
  return defineConfig({
    entry,
    format: 'esm',
    target: 'node22',
    // Entries share code through chunks: a second copy of a class would break identity checks.
    splitting: true,
    treeshake: true,
    sourcemap: true,
    clean: true,
    silent: true,
    // Declarations refer to other packages by name, not to the sources that `paths` points at.
    dts: { compilerOptions: { paths: {}, noEmit: false, stripInternal: true } },
  });
}
