/** What is asked of DynamoDB and what it answers, in plain values. */
import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';

export type Attributes = Record<string, AttributeValue>;
type Value = string | number | boolean | null;
/** What is undefined is as if it were not there. */
export type Values = Readonly<Record<string, Value | undefined>>;

function toAttribute(value: Value): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  return value === null ? { NULL: true } : { BOOL: value };
}

/** An item of these attributes; what is null is absent. */
export function toItem(values: object): Attributes {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, toAttribute(value)]));
}

export function fromItem<T>(item: Attributes): T {
  const plain = Object.entries(item).map(([name, { S, N, BOOL = null }]) => [
    name,
    S ?? (N === undefined ? BOOL : Number(N)),
  ]);
  return Object.fromEntries(plain);
}

export interface Texts {
  readonly ConditionExpression?: string;
  readonly KeyConditionExpression?: string;
  readonly ProjectionExpression?: string;
  readonly UpdateExpression?: string;
}

/**
 * Completes expressions in which `#status` is the attribute `status`, whatever words DynamoDB reserves, and `:status`
 * the value `status`. Where a condition does not hold, what was found is told.
 */
export function expressions<T extends Texts>(texts: T, values: Values = {}) {
  const text = Object.values(texts).join(' ');
  const namesIn = (pattern: RegExp) => [...new Set(text.match(pattern))];
  const names = namesIn(/#\w+/g).map((name) => [name, name.slice(1)]);
  const used = namesIn(/:\w+/g).map((name) => [name, toAttribute(values[name.slice(1)] as Value)]);
  return {
    ...texts,
    ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
    ...(used.length > 0 && { ExpressionAttributeValues: Object.fromEntries(used) }),
    ...('ConditionExpression' in texts && {
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
    }),
  };
}

/** Where an item is. */
export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** A write, by itself or in a transaction, of an item of a table that is not named. */
export interface Write {
  readonly kind: keyof TransactWriteItem;
  readonly input: Partial<ReturnType<typeof expressions>> & { Key?: Attributes; Item?: Attributes };
}

/** @param target the item to put, or the key of one to delete, or only to look at */
export function write(
  kind: 'Put' | 'Delete' | 'ConditionCheck',
  target: object,
  condition?: string,
  values?: Values,
): Write {
  const place = { [kind === 'Put' ? 'Item' : 'Key']: toItem(target) };
  const texts = condition && expressions({ ConditionExpression: condition }, values);
  return { kind, input: { ...place, ...texts } };
}

/** An update of an item, if a condition holds. */
export interface Change {
  readonly condition: string;
  /** What attributes become: null to remove one. */
  readonly set: Values;
  /** What they become by a formula, such as `#due = #queue`. */
  readonly derive?: readonly string[];
  /** What the texts refer to beside what is set. */
  readonly values?: Values;
}

export function update(key: Key, { condition, set, derive = [], values }: Change): Write {
  const names = Object.keys(set).filter((name) => set[name] !== undefined);
  const removed = names.filter((name) => set[name] === null).map((name) => `#${name}`);
  const assigned = names.flatMap((name) => (set[name] === null ? [] : `#${name} = :${name}`));
  const remove = removed.length > 0 ? ` REMOVE ${removed.join(', ')}` : '';
  const texts = {
    ConditionExpression: condition,
    UpdateExpression: `SET ${[...assigned, ...derive].join(', ')}${remove}`,
  };
  const input = { Key: toItem(key), ...expressions(texts, { ...set, ...values }) };
  return { kind: 'Update', input };
}

export const absent = 'attribute_not_exists(#pk)';
export const present = 'attribute_exists(#pk)';
