import { chmodSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { dockerCompose } from '../src/compose.ts';
import type { Service } from '../src/contract.ts';
import { services } from '../src/services/index.ts';
import { scratchFolder } from './scratch.ts';

const file = readFileSync(new URL('../compose.yaml', import.meta.url), 'utf8');

/** The part of the compose file that describes a service. */
function entry(name: string): string {
  const pattern = new RegExp(`^  ${name}:\n((?:    .*\n|\n)*)`, 'm');
  return pattern.exec(file)?.[1] ?? '';
}

const composed = services.flatMap(({ name, compose }) => (compose ? [{ name, ...compose }] : []));

test.for(composed)(
  '$name is in the compose file, on the ports that it is told',
  ({ name, ports }) => {
    for (const variable of ports) {
      expect(entry(name)).toMatch(new RegExp(`"127\\.0\\.0\\.1:\\$\\{${variable}:-\\d+\\}:`));
    }
  },
);

/** Puts a stand-in for Docker into PATH that writes down how it is called, and fails if told to. */
function stubDocker(engine: 'answers' | 'is missing') {
  const folder = scratchFolder({
    docker: [
      '#!/bin/sh',
      `echo "$* PORT=$FAKE_PORT" >> "${'$'}{0%/*}/calls"`,
      `[ "$1" = info ] && exit ${engine === 'answers' ? 0 : 1}`,
      '[ "$6" = config ] && echo redis:7.0',
      'exit 0',
      '',
    ].join('\n'),
  });
  chmodSync(join(folder, 'docker'), 0o755);
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  return () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
}

const fake: Service = {
  name: 'fake',
  title: 'Fake',
  create: () => Promise.reject(new Error('not here')),
  compose: {
    ports: ['FAKE_PORT'],
    urls: (ports) => ports.map((port) => `fake://127.0.0.1:${port}`),
    ready: async () => {},
  },
};

test('without an engine that answers there is nothing to be had', async () => {
  stubDocker('is missing');
  expect(await dockerCompose('/tmp/x').available()).toBe(false);
});

test('a service is started on a free port, stopped, and removed with its data', async () => {
  const calls = stubDocker('answers');
  const compose = dockerCompose('/tmp/sched-services-Ab1');
  expect(await compose.available()).toBe(true);
  const server = await compose.server(fake, '');
  const port = new URL(server.urls[0] ?? '').port;
  expect(server.version).toBe('redis:7.0');
  await server.start();
  await server.stop('kill');
  await server.stop('polite');
  await server.stop('end');
  await compose.end();
  const project = /^compose --file \S+compose\.yaml --project-name sched-services-ab1- (.*)$/;
  expect(
    calls()
      .slice(2)
      .map((call) => project.exec(call)?.[1]),
  ).toEqual([
    `config --images fake PORT=${port}`,
    `up --detach fake PORT=${port}`,
    `kill fake PORT=${port}`,
    `stop fake PORT=${port}`,
    `down --volumes --timeout 1 PORT=${port}`,
  ]);
});

test('another instance is another project, on another port', async () => {
  const calls = stubDocker('answers');
  const compose = dockerCompose('/tmp/run');
  const [shared, own] = [await compose.server(fake, ''), await compose.server(fake, 'own')];
  expect(own.urls).not.toEqual(shared.urls);
  await compose.end('own');
  expect(calls().at(-1)).toMatch(/--project-name run-own down/);
  await compose.end();
  expect(calls().at(-1)).toMatch(/--project-name run- down/);
});
