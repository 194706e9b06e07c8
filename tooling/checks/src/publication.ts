import { readFileSync } from 'node:fs';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { command } from './command.ts';
import type { PackedPackage } from './pack.ts';

/** Asks publint, strictly, about the tarball. */
export async function publintProblems({ tarball }: PackedPackage): Promise<string[]> {
  const bytes = Uint8Array.from(readFileSync(tarball));
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

/** Asks "are the types wrong?" about the tarball, as an importer of ES modules sees it. */
export function typesProblems({ tarball, folder }: PackedPackage): string[] {
  const args = [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji', '--no-color'];
  const { exitCode, output } = command('attw', args, folder);
  return exitCode === 0 ? [] : [output];
}
