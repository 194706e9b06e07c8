import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { adapters, commands, core } from './conventions.ts';
import type { PackedPackage } from './pack.ts';

/**
 * Says what a published package must not depend on: core, and a command that works on no stores, on nothing at all;
 * an adapter, and any other command, on core as a peer only; and none on anything that its manifest does not name.
 * The adapters of a command are peers that need not be there.
 */
export async function dependencyProblems(packed: PackedPackage, id: string): Promise<string[]> {
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = packed.manifest;
  const corePackage = `@sched/${core}`;
  const standsAlone = id === core || commands[id]?.worksOnStores === false;
  const problems: string[] = [];
  for (const [name, range] of Object.entries({ ...dependencies, ...optionalDependencies })) {
    if (standsAlone) problems.push(`${packed.manifest.name} depends on ${name}@${range}`);
    if (name === corePackage) problems.push(`${corePackage} is a dependency, not a peer`);
  }
  if (standsAlone) {
    for (const name of Object.keys(peerDependencies))
      problems.push(`${packed.manifest.name} has a peer, ${name}`);
  } else if (!/^\^\d+\.\d+\.\d+$/.test(peerDependencies[corePackage] ?? '')) {
    problems.push(`the peer ${corePackage} is published as ${peerDependencies[corePackage]}`);
  }
  const { peerDependenciesMeta = {} } = packed.manifest;
  for (const adapter of commands[id]?.worksOnStores ? Object.keys(adapters) : []) {
    const name = `@sched/${adapter}`;
    if (name in { ...dependencies } || peerDependenciesMeta[name]?.optional) continue;
    problems.push(`${name} is no optional peer`);
  }
  const declared = new Set([
    packed.manifest.name,
    ...Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }),
  ]);
  for (const name of await importedPackages(packed)) {
    if (!declared.has(name)) problems.push(`${name} is imported but not declared`);
  }
  return problems;
}

/** The packages that the packed files import, Node's own modules left out. */
async function importedPackages({ folder, files }: PackedPackage): Promise<Set<string>> {
  const { metafile } = await build({
    entryPoints: files.filter((file) => file.endsWith('.js')).map((file) => join(folder, file)),
    absWorkingDir: folder,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outdir: join(folder, 'unused'),
    write: false,
    metafile: true,
  });
  const specifiers = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ external }) => external).map(({ path }) => path),
  );
  for (const file of files.filter((name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, specifier] of text.matchAll(/^(?:im|ex)port .* from '([^']+)';$/gm)) {
      if (specifier !== undefined && !specifier.startsWith('.')) specifiers.push(specifier);
    }
  }
  return new Set(specifiers.filter((path) => !isBuiltin(path)).map(packageName));
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
