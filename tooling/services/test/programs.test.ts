import { chmodSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { archiveNames } from '../src/apt.ts';
import { find, isAtLeast, which } from '../src/programs.ts';
import { scratchFolder } from './scratch.ts';

test.for([
  ['15.18', '13.0', true],
  ['9.7.4', '10.0', false],
  ['10', '9.7', true],
  ['2.7', '2.7.0', true],
  ['2.6.9', '2.7', false],
] as const)('%s is at least %s: %s', ([version, minimum, expected]) => {
  expect(isAtLeast(version, minimum)).toBe(expected);
});

/** A folder in PATH that holds a program which says this of its version. */
function program(name: string, said: string): string {
  const folder = scratchFolder({ [name]: `#!/bin/sh\necho '${said}'\n` });
  chmodSync(join(folder, name), 0o755);
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  return join(folder, name);
}

test('a program in PATH is found, with its version', async () => {
  const path = program('sched-server', 'sched-server  Ver 9.7.4-2 for Linux on x86_64');
  expect(await find('sched-server', '9.0')).toEqual({
    path,
    version: '9.7.4',
    source: 'found here',
  });
});

test('one that is too old, a namesake, and one that is not there are not', async () => {
  program('sched-server', 'sched-server Ver 10.11.19-MariaDB');
  expect(await find('sched-server', '11.0')).toBeUndefined();
  expect(await find('sched-server', '8.0', { notIf: /MariaDB/ })).toBeUndefined();
  expect(await find('sched-no-such-server', '1.0')).toBeUndefined();
});

test('a file that cannot be run is no program', () => {
  const folder = scratchFolder({ 'sched-data': '' });
  expect(which('sched-data', [folder])).toBeUndefined();
});

test('the archives of packages are named as apt names them', () => {
  const simulation = [
    'NOTE: This is only a simulation!',
    'Inst libc-ares2 (1.18.1-3 Debian:12.11/stable [amd64])',
    'Inst libssl3 [3.0.15-1] (3.0.17-1~deb12u2 Debian:12.11/stable, Security:12 [amd64])',
    'Inst redis-server (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64])',
    'Inst tzdata (2026a-1 Debian:unstable [all])',
    'Conf redis-server (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64])',
  ].join('\n');
  expect(archiveNames(simulation)).toEqual([
    'libc-ares2_1.18.1-3_amd64.deb',
    'libssl3_3.0.17-1~deb12u2_amd64.deb',
    'redis-server_5%3a7.0.15-1~deb12u10_amd64.deb',
    'tzdata_2026a-1_all.deb',
  ]);
});
