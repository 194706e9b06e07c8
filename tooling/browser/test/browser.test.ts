import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { describeInBrowser, violations, visit } from '../src/index.ts';

/** Serves documents at a free port, by their paths; gives the address of the first. */
async function served(pages: Record<string, string>): Promise<string> {
  const answer: RequestListener = ({ url = '' }, response) => {
    const body = pages[url];
    if (body === undefined) return response.writeHead(url === '/favicon.ico' ? 204 : 404).end();
    response.writeHead(200, {
      'content-type': 'text/html',
      'content-security-policy': "default-src 'self' 'unsafe-inline'",
    });
    return response.end(`<!doctype html><html lang="en"><title>A page</title>${body}`);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const decent = '<main><h1>Hello</h1><p>Text</p></main>';
const script = (code: string) => `${decent}<script>${code}</script>`;

await describeInBrowser('a page', (browser) => {
  const loaded = async (body: string, options = {}) =>
    visit(browser(), await served({ '/': body }), (page) => page.waitForLoadState(), options);

  test('that behaves is shown', async () => {
    const title = await visit(
      browser(),
      await served({ '/': script('document.title = [1, 2].map((n) => n * 2).join()') }),
      async (page) => {
        expect(await page.getByRole('heading').textContent()).toBe('Hello');
        expect(await violations(page)).toEqual([]);
        return page.title();
      },
    );
    expect(title).toBe('2,4');
  });

  test('has letters of one width where they are to have it, and others elsewhere', async () => {
    const sample = (font: string, text: string) =>
      `<p><span style="font: 20px ${font}">${text}</span></p>`;
    const fonts = ['monospace', 'sans-serif', 'system-ui', 'serif'];
    const body = fonts.flatMap((font) => [sample(font, 'iiii'), sample(font, 'MMMM')]).join('');
    await visit(browser(), await served({ '/': `<main>${body}</main>` }), async (page) => {
      const widths = await page
        .locator('span')
        .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().width));
      const [narrow = 0, wide = 0, ...proportional] = widths;
      expect(narrow).toBeGreaterThan(40);
      expect(wide).toBe(narrow);
      expect(proportional).toHaveLength(6);
      for (const [index, width] of proportional.entries()) {
        if (index % 2 === 0) expect(width).toBeLessThan((proportional[index + 1] ?? 0) / 2);
      }
    });
  });

  test('that writes an error to the console fails', async () => {
    const body = script('console.log("fine"); console.error("an evil", "thing");');
    await expect(loaded(body)).rejects.toThrow('an error in the console: an evil thing');
    await loaded(body, { expected: /evil thing/ });
    await expect(loaded(`${decent}<img src="missing.png" alt="">`)).rejects.toThrow(
      /an error in the console: .*404.*missing\.png/,
    );
  });

  test('that leaves an error uncaught fails', async () => {
    await expect(loaded(script('throw new Error("nobody caught me")'))).rejects.toThrow(
      'an uncaught error: Error: nobody caught me',
    );
    await expect(loaded(script('Promise.reject(new TypeError("nor me"))'))).rejects.toThrow(
      'an uncaught error: TypeError: nor me',
    );
  });

  test('that asks another origin for something fails, and is not answered', async () => {
    const elsewhere = await served({ '/': 'elsewhere' });
    const body = `${decent}<a href="${elsewhere}">Away</a>`;
    const leave = visit(browser(), await served({ '/': body }), async (page) => {
      await page.getByRole('link').click();
      await page.getByText('elsewhere').waitFor();
    });
    await expect(leave).rejects.toThrow(`a request to another origin: ${elsewhere}`);
    const outside = visit(browser(), await served({ '/': decent }), async (page) => {
      await page.goto('http://example.org/').catch(() => {});
    });
    await expect(outside).rejects.toThrow('a request to another origin: http://example.org/');
  });

  test('that its own policy keeps from asking elsewhere fails too', async () => {
    const body = `${decent}<img src="http://example.org/a.png" alt="">`;
    await expect(loaded(body)).rejects.toThrow(/an error in the console: .*example\.org/);
  });

  test('that another one opened fails it', async () => {
    const address = await served({
      '/': `${decent}<a href="/other" target="_blank">Open</a>`,
      '/other': script('console.error("from the other page")'),
    });
    const opened = visit(browser(), address, async (page) => {
      const popup = page.waitForEvent('popup');
      await page.getByRole('link').click();
      await (await popup).waitForLoadState();
    });
    await expect(opened).rejects.toThrow('from the other page');
  });

  test('is blamed beside a failure of the test itself', async () => {
    const failing = visit(
      browser(),
      await served({ '/': script('console.error("the cause")') }),
      async () => {
        throw new Error('The button is not there');
      },
    );
    await expect(failing).rejects.toThrow(/The button is not there\n.*\n.*the cause/);
  });

  test('that few can read or use is told apart', async () => {
    const body = '<main><h1 style="color: #ccc">Pale</h1><img src="data:,"><input></main>';
    const found = await visit(browser(), await served({ '/': body }), violations, {
      expected: /Loading the image 'data:,'/,
    });
    expect(found.map((line) => line.split(':')[0])).toEqual(
      expect.arrayContaining(['color-contrast', 'image-alt', 'label']),
    );
  });
});
