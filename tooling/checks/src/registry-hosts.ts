// Put together from pieces, so that this file does not hold what it looks for.
const hosts = [
  ['registry', '[a-z0-9-]+', '[a-z]{2,}'],
  ['npm', 'pkg', 'github', 'com'],
  ['npm', 'jsr', 'io'],
  ['registry', 'local'],
].map((parts) => parts.join('\\.'));
const host = new RegExp(`(?<![\\w.-])(?:${hosts.join('|')})(?![\\w-])|\\btarball: *\\S+:`, 'i');

/**
 * Says on which lines a text names a package registry, or a lock file an address of its own to fetch
 * a package from. Both would tie everyone to the registry of whoever wrote them.
 */
export function registryHostProblems(path: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      host.test(line) ? [`${path}:${index + 1} names ${host.exec(line)?.[0]}`] : [],
    );
}
