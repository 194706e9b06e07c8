import { serve as serveHono } from '@hono/node-server';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { toNodeListener } from '@sched/http/node';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import 'reflect-metadata';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { serve, setting, sqliteStore, work } from './support.js';

// Its types say that what `import` gives is a namespace, which in Node it is not.
const next: typeof import('next').default = createRequire(import.meta.url)('next');

type Mounted = (api: ReturnType<typeof setting>['api']) => Promise<string>;

const frameworks: Record<string, Mounted> = {
  Express: async (api) => serve(express().use('/sched', toNodeListener(api))),

  'Express, behind its body parser': async (api) =>
    serve(express().use(express.json()).use('/sched', toNodeListener(api))),

  async Fastify(api) {
    const listener = toNodeListener(api);
    const fastify = Fastify({ forceCloseConnections: true });
    fastify.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
      scope.all('/sched/*', (request, reply) => {
        reply.hijack();
        return listener(request.raw, reply.raw);
      });
    });
    onTestFinished(() => fastify.close());
    return fastify.listen({ port: 0, host: '127.0.0.1' });
  },

  async Hono(api) {
    const app = new Hono().all('/sched/*', ({ req }) => api(req.raw));
    const server = serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },

  async Koa(api) {
    const listener = toNodeListener(api);
    const app = new Koa().use(async (context, next) => {
      if (!context.path.startsWith('/sched/')) return next();
      context.respond = false;
      return listener(context.req, context.res);
    });
    return serve(app.callback());
  },

  async NestJS(api) {
    class AppModule {}
    Module({})(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false });
    app.use('/sched', toNodeListener(api));
    await app.listen(0, '127.0.0.1');
    onTestFinished(() => app.close());
    return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  },

  async Next(api) {
    // The route of the documentation, but for where its API comes from: it is compiled apart from this module.
    Object.assign(globalThis, { apiOfNext: api });
    const dir = folderOf({
      'app/layout.js': 'export default ({ children }) => children;',
      'app/sched/[...path]/route.js': `
        export const dynamic = 'force-dynamic';
        const handler = (request) => globalThis.apiOfNext(request);
        export { handler as GET, handler as POST, handler as PATCH, handler as DELETE };
      `,
    });
    vi.stubEnv('NEXT_TELEMETRY_DISABLED', '1');
    const app = next({ dev: true, dir });
    onTestFinished(() => app.close());
    await app.prepare();
    return serve(app.getRequestHandler());
  },
};

/** Makes a folder from which what this package has installed can be imported. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const results = fileURLToPath(new URL('../.test-results/', import.meta.url));
  mkdirSync(results, { recursive: true });
  const folder = mkdtempSync(join(results, 'next-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

test.for(Object.entries(frameworks))('%s', async ([, mount]) => {
  const { api, scheduler } = setting({ store: sqliteStore() });
  await scheduler.schedule(work, { id: 'a/b', payload: null, in: '1h' });
  const base = `${await mount(api)}/sched`;
  const headers = { authorization: 'Bearer x', 'content-type': 'application/json' };
  const list = await fetch(`${base}/tasks?limit=5`);
  expect([list.status, await list.json()]).toMatchObject([200, { tasks: [{ id: 'a/b' }] }]);
  const body = JSON.stringify({ queue: 'slow', payload: { name: 'ä' } });
  const changed = await fetch(`${base}/tasks/a%2Fb`, { method: 'PATCH', headers, body });
  expect([changed.status, await changed.json()]).toMatchObject([
    200,
    { id: 'a/b', queue: 'slow', payload: { name: 'ä' } },
  ]);
  const paused = await fetch(`${base}/tasks/a%2Fb/pause`, { method: 'POST', headers });
  expect([paused.status, await paused.json()]).toEqual([200, { changed: true }]);

  const going = new AbortController();
  const stream = await fetch(`${base}/events`, { signal: going.signal });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader?.read())?.value).toMatch(/^event: hello\n/);
  await scheduler.resume('a/b');
  expect((await reader?.read())?.value).toMatch(/^event: resumed\n/);
  going.abort();
  const nowhere = await fetch(`${base}/nowhere`);
  expect([nowhere.status, await nowhere.json()]).toMatchObject([
    404,
    { code: 'SCHED_REQUEST_INVALID' },
  ]);
});
