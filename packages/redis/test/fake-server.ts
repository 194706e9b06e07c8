import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** The next command in some text, and what follows it; undefined if it has not arrived as a whole. */
function nextCommand(text: string): { readonly args: string[]; readonly rest: string } | undefined {
  const [start = '', count] = /^\*(\d+)\r\n/.exec(text) ?? [];
  let rest = text.slice(start.length);
  const args: string[] = [];
  for (let left = Number(count); left > 0; left--) {
    const [header, length] = /^\$(\d+)\r\n/.exec(rest) ?? [];
    if (header === undefined || rest.length < header.length + Number(length) + 2) return undefined;
    args.push(rest.slice(header.length, header.length + Number(length)));
    rest = rest.slice(header.length + Number(length) + 2);
  }
  return args.length > 0 ? { args, rest } : undefined;
}

/** Something on loopback that speaks Redis' protocol: for servers that cannot be had. */
export async function serveFake(answer: (args: string[]) => string | undefined) {
  const server = createServer((socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk;
      for (let next = nextCommand(text); next; next = nextCommand(text)) {
        text = next.rest;
        const reply = answer(next.args.map((arg, index) => (index < 2 ? arg.toLowerCase() : arg)));
        if (reply !== undefined) socket.write(reply);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

/** A reply of text. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
