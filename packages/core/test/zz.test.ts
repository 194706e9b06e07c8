import { appendFileSync } from 'node:fs';
import { test } from 'vitest';
import { dataStoreConformance } from '../src/conformance/index.js';
import { brokenStores } from './broken-stores/index.js';

test('x', async () => {
  for (const { name, breaks, because, target } of brokenStores) {
    const t0 = performance.now();
    for (const c of dataStoreConformance(target).filter((c) => c.guarantee === breaks)) {
      const t = performance.now();
      appendFileSync('/tmp/zz.log', `start ${name} | ${c.name}\n`);
      let m = '';
      await c.run().catch((e) => {
        m = e.message;
      });
      const d = performance.now() - t;
      if (d > 700) appendFileSync('/tmp/zz.log', `SLOW ${d.toFixed(0)} ${name} | ${c.name}\n`);
      if (m.includes(because)) break;
    }
    appendFileSync('/tmp/zz.log', `STORE ${(performance.now() - t0).toFixed(0)} ${name}\n`);
  }
}, 1e6);
