// For tests: a real Chromium, and pages that must behave. This file stands alone, because packages
// that import it type-check it with settings of their own.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describeOn, type RunningService, standIn } from '@sched-tooling/services';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export type { Browser, Page } from 'playwright-core';

/** A Chromium on this machine. */
export interface Chromium {
  executablePath: string;
  version: string;
  /** What it needs in its environment. */
  env: Record<string, string>;
}

/** The program to use instead of one that is found or fetched. */
export const variable = 'SCHED_TEST_CHROMIUM';

/**
 * Gives the Chromium of `SCHED_TEST_CHROMIUM`, of this machine, or the one that is fetched from
 * Debian into the user's cache the first time. Throws if there is none to be had.
 */
export async function chromium(): Promise<Chromium> {
  const given = process.env[variable];
  if (given) return { executablePath: given, version: 'as given', env: {} };
  const script = fileURLToPath(new URL('locate.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
    process.stderr.write(chunk);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [printed, code] = await Promise.all([text(child.stdout), ended]);
  if (code !== 0) throw new Error(/^Error: (.*)$/m.exec(said)?.[1] ?? said);
  return JSON.parse(printed);
}

/** Starts a browser without a window; whoever starts it closes it. */
export async function launchBrowser(which?: Chromium): Promise<Browser> {
  const { executablePath, env } = which ?? (await chromium());
  // Not at the top: loading it takes a while, and test files are read before they run.
  const { chromium: playwright } = await import('playwright-core');
  return playwright.launch({
    executablePath,
    env: { ...withoutProxies(), ...env },
    args: [
      // Containers have little shared memory, and no bus.
      '--disable-dev-shm-usage',
      // Pictures are the same on every machine.
      '--force-color-profile=srgb',
      '--hide-scrollbars',
      // Whatever a page asks for that is not of this machine is not there.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1',
    ],
  });
}

/** A proxy would look up the names of pages by itself. */
function withoutProxies(): Record<string, string> {
  const entries = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined || /^(https?|all|no)_proxy$/i.test(name) ? [] : [[name, value] as const],
  );
  return Object.fromEntries(entries);
}

/** What tests in a browser are given: it is a function, because it is started before the first of them. */
type Get = () => Browser;

/**
 * Registers tests that need a browser: a `describe` whose body gets it, started before the first of them and closed
 * after the last. Await it at the top of the test file. Where there is none to be had, a single test stands for them,
 * which fails when `CI` is set.
 *
 * @param on a server that the tests need as well, as `describeOn` of the services has it
 */
export async function describeInBrowser(title: string, body: (browser: Get) => void): Promise<void>;
export async function describeInBrowser(
  title: string,
  body: (browser: Get, server: RunningService) => void,
  on: string,
): Promise<void>;
export async function describeInBrowser(
  title: string,
  body: (browser: Get, server: RunningService) => void,
  on?: string,
): Promise<void> {
  const { afterAll, beforeAll, describe } = await import('vitest');
  let which: Chromium;
  try {
    which = await chromium();
  } catch (error) {
    return standIn(`${title} in Chromium`, 'chromium', `Chromium is missing: ${message(error)}`);
  }
  const register = (server?: RunningService) => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser(which);
    });
    afterAll(() => browser?.close());
    // Given wherever the signatures above say that it is.
    body(() => browser, server as RunningService);
  };
  if (on === undefined) describe(`${title} in Chromium`, () => register());
  else await describeOn(on, `${title} in Chromium`, register);
}

export interface VisitOptions extends BrowserContextOptions {
  /** Console errors that belong to what is tested, such as an answer of 404 that is asked for. */
  expected?: RegExp;
}

/**
 * Opens a page in a context of its own, with no cookies and nothing stored, for as long as the
 * action takes. Afterwards it throws if the page, or another one that it opened, wrote an error to
 * the console, left an error uncaught, or asked another origin than that of the address for anything.
 */
export async function visit<T>(
  browser: Browser,
  url: string,
  action: (page: Page) => Promise<T>,
  { expected, ...options }: VisitOptions = {},
): Promise<T> {
  const { origin } = new URL(url);
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const problems: string[] = [];
  const check = (address: string) => {
    if (/^(data|blob|about):/.test(address) || originOf(address) === origin) return;
    problems.push(`a request to another origin: ${address}`);
  };
  context.on('console', (message) => {
    if (message.type() !== 'error' || expected?.test(message.text())) return;
    problems.push(`an error in the console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => {
    problems.push(`an uncaught error: ${error.error().stack ?? error.error().message}`);
  });
  context.on('request', (request) => check(request.url()));
  context.on('page', (page) => page.on('websocket', (socket) => check(socket.url())));
  const act = async () => {
    const page = await context.newPage();
    await page.goto(url);
    return action(page);
  };
  const [outcome] = await Promise.allSettled([act()]);
  await context.close();
  const failed = outcome.status === 'rejected';
  if (problems.length > 0) {
    // What the page did wrong is likely to be why the action failed.
    const why = failed ? [message(outcome.reason)] : [];
    const lines = [...why, 'The page misbehaved:', ...problems];
    throw new Error(lines.join('\n'), failed ? { cause: outcome.reason } : {});
  }
  if (failed) throw outcome.reason;
  return outcome.value;
}

/** Where a socket's address leads counts like that of the page it belongs to. */
const originOf = (address: string) => new URL(address.replace(/^ws/, 'http')).origin;

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

declare global {
  // Put into the page by `violations`.
  var axe: { run(): Promise<AxeResults> } | undefined;
}

/** What axe finds wrong with the page as it is now, a line for each rule. */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated, not added as a script, which the page's policy may forbid.
  await page.evaluate(axeSource());
  const results = await page.evaluate(async () => (await globalThis.axe?.run())?.violations);
  if (results === undefined) throw new Error('axe is not in the page.');
  return results.map(({ id, help, nodes }) =>
    [`${id}: ${help}`, ...nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`)]
      .map((line) => line.replaceAll(/\s+/g, ' '))
      .join('\n  '),
  );
}

let source: string | undefined;

function axeSource(): string {
  const file = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  source ??= readFileSync(file, 'utf8');
  return source;
}
