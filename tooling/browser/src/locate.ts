// A process of its own: finds a Chromium on this machine, or fetches Debian's into the cache, and
// prints where it is as JSON. What it is doing goes to standard error.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findOrUnpack } from '@sched-tooling/services/debian';
import { find } from '@sched-tooling/services/programs';
import type { Chromium } from './index.ts';

/** What Playwright's protocol needs, and what a page for today's browsers may use. */
const minimum = '120.0';
const names = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
];
const folders = ['/Applications/Google Chrome.app/Contents/MacOS'];

async function locate(): Promise<Chromium> {
  for (const name of [...names, 'Google Chrome']) {
    // A namesake that does not even say its version is none.
    const found = await find(name, minimum, { folders }).catch(() => undefined);
    if (found !== undefined) return { executablePath: found.path, version: found.version, env: {} };
  }
  const fetched = await findOrUnpack(
    { progress: (text) => console.error(`chromium: ${text}`) },
    {
      program: 'chromium-headless-shell',
      minimum,
      packages: ['chromium-headless-shell', 'fonts-liberation', 'fonts-dejavu-core'],
      folders: ['usr/lib/chromium'],
      libraries: ['nss', 'pulseaudio'],
    },
  );
  return {
    executablePath: fetched.path,
    version: fetched.version,
    env: {
      ...fetched.env,
      FONTCONFIG_FILE: fileURLToPath(new URL('../fonts.conf', import.meta.url)),
      XDG_DATA_HOME: join(fetched.folder ?? '/', 'usr', 'share'),
    },
  };
}

console.log(JSON.stringify(await locate()));
