import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { builtFile } from '../src/bundle-size.ts';
import { command } from '../src/command.ts';
import { scratchFolder } from '../src/scratch.ts';
import { root } from '../src/workspace.ts';

const nobody = '127.0.0.1:1';

/** How a store is made that nobody answers, and the driver that it imports. */
const stores: Record<string, [driver: string, make: string]> = {
  postgres: ['pg', `new PostgresDataStore({ url: 'postgres://${nobody}/db' })`],
  mysql: ['mysql2', `new MysqlDataStore({ url: 'mysql://${nobody}/db' })`],
  redis: ['ioredis', `new RedisDataStore({ url: 'redis://${nobody}' })`],
  mongo: [
    'mongodb',
    `new MongoDataStore({ url: 'mongodb://${nobody}', options: { serverSelectionTimeoutMS: 100 } })`,
  ],
  dynamodb: [
    '@aws-sdk/client-dynamodb',
    `new DynamoDBDataStore({ endpoint: 'http://${nobody}', region: 'here', connection: {
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' } } })`,
  ],
};

/** As the documentation of the packages has it. */
const banner =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Bundles a program that opens a store, runs it, and gives what the store says. */
async function openBundled(id: string, options: { external?: string[]; banner?: { js: string } }) {
  const [, make = ''] = stores[id] ?? [];
  const folder = scratchFolder();
  const outfile = join(folder, 'bundle.mjs');
  await build({
    stdin: {
      contents: `import * as exports from '@sched/${id}';
        const { ${/\w+DataStore/.exec(make)} } = exports;
        const store = ${make};
        await store.open().catch(({ code, message, cause }) => {
          console.log(JSON.stringify({ code, message, cause: cause?.message }));
        });
        process.exit();`,
      resolveDir: root,
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    outfile,
    logLevel: 'silent',
    plugins: [
      {
        name: 'workspace',
        setup({ onResolve }) {
          onResolve({ filter: /^@sched\// }, ({ path }) => ({ path: builtFile(path) }));
        },
      },
    ],
    ...options,
  });
  const { output } = command('node', [outfile], folder);
  return JSON.parse(output) as { code: string; message: string; cause: string };
}

describe.for(Object.entries(stores))('%s', ([id, [driver]]) => {
  test('a driver that does not run in a bundle is told of, and what to do', async () => {
    const { code, message, cause } = await openBundled(id, {});
    expect(code).toBe('SCHED_STORE_CONFIG');
    expect(message).toMatch(
      new RegExp(
        `^The driver ${driver} cannot be loaded: .* Install ${driver},.* mark it as external`,
      ),
    );
    expect(cause).toMatch(/^Dynamic require of "\S+" is not supported/);
  });

  test('so is one that is nowhere', async () => {
    const { code, message, cause } = await openBundled(id, { external: [driver, `${driver}/*`] });
    expect(code).toBe('SCHED_STORE_CONFIG');
    expect(message).toContain(`The driver ${driver} cannot be loaded`);
    expect(cause).toContain('Cannot find package');
  });

  test('with what the documentation says the driver runs', async () => {
    const { code } = await openBundled(id, { banner: { js: banner } });
    expect(code).toBe('SCHED_STORE_UNAVAILABLE');
  });
});
