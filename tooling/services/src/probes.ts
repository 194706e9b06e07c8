// Asks a server for a sign of life in its own protocol, without a driver: whether it is ready is no
// question of time, and a port that is open says little.

import { createConnection } from 'node:net';
import { type BsonValue, commandMessage, isComplete, isTrue } from './bson.ts';

const timeoutMs = 2_000;

/** Sends something and resolves as soon as the answer satisfies; rejects if it throws or ends. */
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
      try {
        if (!satisfied(answer)) return;
      } catch (error) {
        return fail(String(error));
      }
      resolve(answer);
      socket.destroy();
    });
    if (request.length > 0) socket.write(request);
  });
}

function printable(answer: Buffer): string {
  return answer
    .toString('latin1')
    .replaceAll(/[^ -~]+/g, ' ')
    .trim()
    .slice(0, 200);
}

/** A Redis that has loaded its data, asked with a password. */
export async function redisAnswers(port: number, password: string): Promise<void> {
  await exchange(port, `AUTH ${password}\r\nPING\r\n`, (answer) => answer.includes('+PONG'));
}

/** A node of a Redis cluster that knows all masters and where every slot is. */
export async function redisClusterAnswers(
  port: number,
  password: string,
  masters: number,
): Promise<void> {
  const complete = ['cluster_state:ok', 'cluster_slots_ok:16384', `cluster_size:${masters}`];
  await exchange(port, `AUTH ${password}\r\nCLUSTER INFO\r\nPING\r\n`, (answer) => {
    const done = answer.includes('+PONG');
    if (done && !complete.every((part) => answer.includes(part))) throw new Error('not complete');
    return done;
  });
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

/** A MySQL or MariaDB that greets its clients: the first packet is a handshake, not an error. */
export async function mysqlAnswers(port: number): Promise<void> {
  await exchange(port, '', (answer) => answer.length > 4 && answer[4] === 10);
}

/** A DynamoDB that lists its tables, for credentials that DynamoDB Local does not check. */
export async function dynamodbAnswers(port: number): Promise<void> {
  const credential = 'Credential=local/20000101/local/dynamodb/aws4_request';
  const answer = await fetch(`http://127.0.0.1:${port}`, {
    method: 'POST',
    body: '{}',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'DynamoDB_20120810.ListTables',
      authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=none`,
    },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
}

/** Has a MongoDB, or something like it, run a command; rejects with what it says if it refuses. */
export async function mongodbCommand(
  port: number,
  command: Record<string, BsonValue>,
): Promise<Buffer> {
  const message = commandMessage({ ...command, $db: 'admin' });
  const reply = await exchange(port, message, isComplete);
  if (!isTrue(reply, 'ok')) throw new Error(printable(reply));
  return reply;
}

/** A MongoDB that takes writes. */
export async function mongodbAnswers(port: number): Promise<void> {
  const reply = await mongodbCommand(port, { hello: 1 });
  if (!isTrue(reply, 'isWritablePrimary')) throw new Error('it does not take writes yet');
}
