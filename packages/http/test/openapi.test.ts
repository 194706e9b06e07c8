import { openApi } from '@sched/http';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { setting } from './support.js';

test('the document in the repository is that of the code (vitest -u writes it anew)', async () => {
  const text = `${JSON.stringify(openApi(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../openapi.json');
});

test('the document is valid OpenAPI 3.1, and each of its references leads somewhere', async () => {
  const validator = new Validator();
  const text = JSON.stringify(openApi());
  expect(await validator.validate(JSON.parse(text))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  const document = JSON.parse(text);
  const references = new Set(Array.from(text.matchAll(/"\$ref":"#([^"]*)"/g), ([, path]) => path));
  expect(references.size).toBeGreaterThan(4);
  for (const path of references) {
    const found = path
      ?.slice(1)
      .split('/')
      .reduce((at, key) => at?.[key], document);
    expect(found, path).toBeTypeOf('object');
  }
});

test('the document is served below the base path', async () => {
  const { call } = setting();
  const { status, body } = await call('GET', '/openapi.json');
  expect(status).toBe(200);
  expect(body).toEqual(JSON.parse(JSON.stringify(openApi())));
});
