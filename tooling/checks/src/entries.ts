import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commands, fields } from './conventions.ts';
import type { PackedPackage } from './pack.ts';
import { exportTargets, type Package } from './workspace.ts';

/** The `entry` of a package's tsup.config.ts: output name to source file. */
export async function tsupEntries({ folder }: Package): Promise<Record<string, string>> {
  const config = await import(pathToFileURL(join(folder, 'tsup.config.ts')).href);
  return config.default.entry;
}

/**
 * Says where `exports`, the build's entries and the tarball disagree: each import path and each command
 * has one entry that builds it, each entry one of these, and every file that is promised is packed.
 */
export function entryProblems(
  source: Package,
  packed: PackedPackage,
  entries: Record<string, string>,
): string[] {
  const problems: string[] = [];
  const built = new Set<string>();
  for (const [subpath, target] of Object.entries(source.manifest.exports ?? {})) {
    if (subpath === './package.json') continue;
    const name = subpath === '.' ? 'index' : `${subpath.slice(2)}/index`;
    const expected = [
      ['types', `./dist/${name}.d.ts`],
      ['default', `./dist/${name}.js`],
    ];
    if (JSON.stringify(Object.entries(target)) !== JSON.stringify(expected)) {
      problems.push(`exports["${subpath}"] is not ${JSON.stringify(Object.fromEntries(expected))}`);
    }
    if (entries[name] === undefined) problems.push(`no entry of tsup.config.ts builds ${subpath}`);
    built.add(name);
  }
  for (const [command, file] of Object.entries(source.manifest.bin ?? {})) {
    const name = /^\.\/dist\/(.+)\.js$/.exec(file)?.[1] ?? '';
    if (entries[name] === undefined) problems.push(`no entry of tsup.config.ts builds ${command}`);
    built.add(name);
  }
  for (const [name, file] of Object.entries(entries)) {
    if (!built.has(name)) problems.push(`the entry ${name} of tsup.config.ts is not exported`);
    if (file !== `src/${name}.ts`) problems.push(`the entry ${name} is built from ${file}`);
    if (!existsSync(join(source.folder, file))) problems.push(`${file} does not exist`);
  }
  for (const { subpath, files } of exportTargets(packed.manifest)) {
    for (const file of files) {
      if (!packed.files.includes(file.replace(/^\.\//, ''))) {
        problems.push(`exports["${subpath}"] names ${file}, which is not packed`);
      }
    }
  }
  for (const [command, file] of Object.entries(packed.manifest.bin ?? {})) {
    if (!packed.files.includes(file.replace(/^\.\//, ''))) {
      problems.push(`the command ${command} names ${file}, which is not packed`);
    }
  }
  const folders = commands[source.id]?.files ?? fields.files;
  for (const file of packed.files) {
    if (
      !folders.some((folder) => file.startsWith(`${folder}/`)) &&
      !/^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(file)
    ) {
      problems.push(`${file} is packed and should not be`);
    }
  }
  return problems;
}
