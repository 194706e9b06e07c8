import connect from './client.ts';

/** Goes by the clock of its own process. */
export default (address) => connect(address, { clock: () => Date.now() });
