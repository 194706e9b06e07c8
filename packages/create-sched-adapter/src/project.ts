import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The test runners that a new package can be wired to. */
export const runners = ['vitest', 'node'] as const;

export type Runner = (typeof runners)[number];

/** Beside the source as beside the built file. */
const templates = fileURLToPath(new URL('../templates', import.meta.url));

/** What a runner needs in `package.json`. */
const manifests: Record<Runner, { test: string; devDependencies: Record<string, string> }> = {
  vitest: { test: 'vitest run', devDependencies: { vitest: '^5.1.1' } },
  node: { test: "node --test 'test/**/*.test.ts'", devDependencies: {} },
};

/** What would mean something in this package, too: npm leaves the one out, and tools read the other. */
const renamed: Record<string, string> = {
  gitignore: '.gitignore',
  'manifest.json': 'package.json',
};

/** Says what is wrong with the name of an adapter, or nothing. */
export function nameProblem(name: string): string | undefined {
  if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) && name.length <= 40) return undefined;
  return `${JSON.stringify(name)} cannot be the name of an adapter: use small letters, digits and dashes, as in my-database.`;
}

/**
 * The files of a new package: path to text.
 *
 * @param name of the database, such as `my-database`
 * @param core the version of `@sched/core` that the package is written for
 */
export function projectFiles(name: string, runner: Runner, core: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of ['common', runner].map((part) => join(templates, part))) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const target = relative(folder, join(entry.parentPath, renamed[entry.name] ?? entry.name));
      const text = personalize(readFileSync(path, 'utf8'), name);
      files.set(personalize(target.split(sep).join('/'), name), text);
    }
  }
  const manifest = JSON.parse(files.get('package.json') ?? '{}');
  const { test, devDependencies } = manifests[runner];
  manifest.scripts.test = test;
  manifest.devDependencies = { ...manifest.devDependencies, ...devDependencies };
  manifest.peerDependencies['@sched/core'] = `^${core}`;
  manifest.devDependencies['@sched/core'] = `^${core}`;
  files.set('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
  return files;
}

/** Templates are of a store named acme. */
function personalize(text: string, name: string): string {
  const className = name.replace(/(^|-)([a-z0-9])/g, (_, __, letter: string) =>
    letter.toUpperCase(),
  );
  return text.replaceAll('Acme', className).replaceAll('acme', name);
}
