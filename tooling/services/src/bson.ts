// As much of BSON and of MongoDB's protocol as it takes to ask a server how it is.

/** What commands here consist of. */
export type BsonValue = string | number | boolean | BsonValue[] | { [name: string]: BsonValue };

const cstring = (text: string) => Buffer.from(`${text}\0`);

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function encode(document: Record<string, BsonValue> | BsonValue[]): Buffer {
  const elements = Object.entries(document).map(([name, value]) => {
    const [type, bytes] = encodeValue(value);
    return Buffer.concat([Buffer.of(type), cstring(name), bytes]);
  });
  const body = Buffer.concat([...elements, Buffer.of(0)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

function encodeValue(value: BsonValue): [type: number, bytes: Buffer] {
  if (typeof value === 'string') {
    const text = cstring(value);
    return [0x02, Buffer.concat([int32(text.length), text])];
  }
  if (typeof value === 'boolean') return [0x08, Buffer.of(value ? 1 : 0)];
  if (typeof value === 'number') return [0x10, int32(value)];
  return [Array.isArray(value) ? 0x04 : 0x03, encode(value)];
}

/** The message that carries a command. */
export function commandMessage(command: Record<string, BsonValue>): Buffer {
  // No flags; one section, which is the command.
  const body = Buffer.concat([int32(0), Buffer.of(0), encode(command)]);
  const opMessage = 2013;
  return Buffer.concat([int32(16 + body.length), int32(1), int32(0), int32(opMessage), body]);
}

/** Whether a reply has come in full. */
export function isComplete(reply: Buffer): boolean {
  return reply.length >= 4 && reply.length >= reply.readInt32LE(0);
}

/** Whether a reply has a field that is true, or 1 in whatever kind of number. */
export function isTrue(reply: Buffer, field: string): boolean {
  const one = Buffer.alloc(8);
  one.writeDoubleLE(1);
  return [
    [0x01, one],
    [0x08, Buffer.of(1)],
    [0x10, int32(1)],
  ].some(([type, value]) =>
    reply.includes(Buffer.concat([Buffer.of(type as number), cstring(field), value as Buffer])),
  );
}
