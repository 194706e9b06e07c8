import type { AttributeValue } from '@aws-sdk/client-dynamodb';

export type Item = Readonly<Record<string, AttributeValue>>;
export type Value = string | number | boolean | null;

export interface Texts {
  readonly ConditionExpression?: string;
  readonly FilterExpression?: string;
  readonly KeyConditionExpression?: string;
  readonly ProjectionExpression?: string;
  readonly UpdateExpression?: string;
}

/**
 * Completes expressions in which `#status` is the attribute `status`, whatever words DynamoDB reserves, and `:status`
 * the value `status`.
 */
export function expressions<T extends Texts>(texts: T, values: Readonly<Record<string, Value>>) {
  const text = Object.values(texts).join(' ');
  const names = [...new Set(text.match(/#\w+/g))].map((name) => [name, name.slice(1)]);
  const used = [...new Set(text.match(/:\w+/g))].map((name) => [
    name,
    toAttribute(values[name.slice(1)] as Value),
  ]);
  return {
    ...texts,
    ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
    ...(used.length > 0 && { ExpressionAttributeValues: Object.fromEntries(used) }),
  };
}

function toAttribute(value: Value): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  return value === null ? { NULL: true } : { BOOL: value };
}

/** An item of these attributes; what is null is absent. */
export function toItem(values: Readonly<Record<string, Value>>): Record<string, AttributeValue> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === null ? [] : [[name, toAttribute(value)]],
    ),
  );
}

export function textOf(item: Item | undefined, name: string): string | null {
  return item?.[name]?.S ?? null;
}

export function numberOf(item: Item | undefined, name: string): number | null {
  const number = item?.[name]?.N;
  return number === undefined ? null : Number(number);
}
