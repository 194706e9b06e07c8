import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { builtFile } from '../src/bundle-size.ts';
import { scratchFolder } from '../src/scratch.ts';
import { root } from '../src/workspace.ts';

test('A driver that was bundled, and cannot run so, is a mistake in the configuration and says what to do', async () => {
  const folder = scratchFolder();
  const outfile = join(folder, 'bundle.mjs');
  await build({
    stdin: {
      contents: `
        import { PostgresDataStore } from '@sched/postgres';
        const store = new PostgresDataStore({ url: 'postgres://localhost' });
        await store.open().catch(({ code, message }) => console.log(code, message));
      `,
      resolveDir: root,
    },
    ...{ bundle: true, format: 'esm', platform: 'node', target: 'node22', outfile },
    logLevel: 'silent',
    plugins: [
      {
        name: 'workspace',
        setup({ onResolve }) {
          onResolve({ filter: /^@sched\// }, ({ path }) => ({ path: builtFile(path) }));
        },
      },
    ],
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile]);
  expect(stdout).toMatch(
    /^SCHED_STORE_CONFIG The driver pg cannot be loaded: Dynamic require of ".*mark it as external\.$/m,
  );
});
