import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** Any call on the store that another process serves on this port. */
export default (port) => {
  const socket = connect(port, '127.0.0.1');
  const answers = createInterface({ input: socket })[Symbol.asyncIterator]();
  const call = async (method, args) => {
    socket.write(`${JSON.stringify([method, ...args])}\n`);
    const { value } = await answers.next();
    const { answer, error } = JSON.parse(value);
    if (error) throw new Error(error);
    return answer;
  };
  return new Proxy(
    {},
    {
      // Whoever awaits the store asks whether it is a promise.
      get: (_, method) => (method === 'then' ? undefined : (...args) => call(String(method), args)),
    },
  );
};
