import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const calls = [
  ...['now', 'insert', 'get', 'update', 'list', 'count', 'remove', 'setPaused'],
  ...['claim', 'extend', 'settle', 'release', 'history'],
];

/** The store that another process serves on this port. */
export default (port) => {
  const pending = new Map();
  let socket;
  let number = 0;

  const call = (method, args) =>
    new Promise((resolve, reject) => {
      if (!socket?.writable) throw new Error('the store that is served is out of reach');
      pending.set(++number, { resolve, reject });
      socket.write(`${JSON.stringify([number, method, ...args])}\n`);
    });

  const answered = (line) => {
    const { to, answer, error } = JSON.parse(line);
    const { resolve, reject } = pending.get(to);
    pending.delete(to);
    if (error) reject(new Error(error));
    else resolve(answer);
  };

  return {
    name: 'served',
    capabilities: { history: true, watch: false, transactions: false, processes: true },
    ...Object.fromEntries(calls.map((method) => [method, (...args) => call(method, args)])),

    async open() {
      if (socket?.writable) return;
      socket = connect(port, '127.0.0.1');
      socket.on('close', () => {
        for (const { reject } of pending.values()) reject(new Error('the connection was lost'));
        pending.clear();
      });
      createInterface({ input: socket })
        .on('line', answered)
        .on('error', () => {});
      await once(socket, 'connect');
      await call('open', []);
    },

    // The store itself stays open, for the others.
    async close() {
      socket?.end();
    },

    async watch() {
      return async () => {};
    },
  };
};
