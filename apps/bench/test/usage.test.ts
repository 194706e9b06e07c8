import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { cpuMs, serverPids } from '../src/process/usage.ts';

test('CPU time of a process counts what it has started', async () => {
  const burn = 'while (process.cpuUsage().user < 200_000);';
  const shell = spawn('sh', ['-c', `${process.execPath} --eval '${burn}'; sleep 60`]);
  try {
    await expect.poll(() => cpuMs([shell.pid ?? 0]), { timeout: 10_000 }).toBeGreaterThan(50);
  } finally {
    shell.kill();
  }
});

test('the process that listens on a port is found', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  expect(serverPids(port)).toContain(process.pid);
  server.close();
});
