// Asks a server for a sign of life in its own protocol, without a driver: whether it is ready is no
// question of time, and a port that is open says little.

import { createConnection } from 'node:net';

const timeoutMs = 2_000;

/** Sends something and resolves as soon as what came back satisfies; rejects with the last answer. */
export function exchange(
  port: number,
  request: Uint8Array | string,
  satisfied: (answer: Buffer) => boolean,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    let answer = Buffer.alloc(0);
    const fail = (reason: string) => {
      socket.destroy();
      const printable = answer
        .toString('latin1')
        .replaceAll(/[^ -~]+/g, ' ')
        .trim();
      reject(new Error(printable === '' ? reason : `${reason}: ${printable.slice(0, 200)}`));
    };
    socket.setTimeout(timeoutMs, () => fail('no answer'));
    socket.once('error', (error) => fail(error.message));
    socket.once('close', () => fail('it closed the connection'));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (!satisfied(answer)) return;
      resolve(answer);
      socket.destroy();
    });
    if (request.length > 0) socket.write(request);
  });
}

/** A Redis that has loaded its data, asked with a password. */
export async function redisAnswers(port: number, password: string): Promise<void> {
  await exchange(port, `AUTH ${password}\r\nPING\r\n`, (answer) => answer.includes('+PONG'));
}

/** A PostgreSQL, or something like it, that is past its start: it asks the client who it is. */
export async function postgresAnswers(
  port: number,
  user: string,
  database = 'postgres',
): Promise<void> {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + parameters.length, 0);
  head.writeInt32BE(196_608, 4);
  await exchange(port, Buffer.concat([head, parameters]), (answer) => answer[0] === 0x52);
}
