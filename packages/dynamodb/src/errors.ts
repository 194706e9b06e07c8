import { SchedError } from '@sched/core';
import { type ErrorMeanings, toStoreError } from '@sched/core/adapter';
import type { Attributes } from './expressions.js';

/** An error of the SDK or of Node. */
export interface DriverError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly attempts?: number };
  /** What was found where a condition did not hold. */
  readonly Item?: Attributes;
  /** What went wrong with each write of a transaction. */
  readonly CancellationReasons?: readonly { readonly Code?: string; readonly Item?: Attributes }[];
}

/** Nothing has happened, and it may work in a moment. */
const throttling =
  /^(ProvisionedThroughputExceeded|Throttling|ThrottlingError|ThrottledRequest|RequestLimitExceeded|RequestThrottled|TooManyRequests|TransactionConflict|TransactionInProgress|LimitExceeded|ReplicatedWriteConflict)(Exception)?$/;

/** What errors mean, by their name, code and message. */
const meanings: ErrorMeanings = [
  // It passes when whoever provides them does so again.
  [/^ExpiredToken/, 'SCHED_STORE_UNAVAILABLE', 'Renew the credentials.'],
  [/Region is missing|Invalid region|hostname component/, 'SCHED_STORE_CONFIG', 'Set region.'],
  [
    /^(CredentialsProviderError|UnrecognizedClient|InvalidSignature|IncompleteSignature|MissingAuthenticationToken|InvalidAccessKeyId|InvalidClientTokenId|NotAuthorized)|credential/i,
    'SCHED_STORE_CONFIG',
    'Check the credentials, which are those that the AWS SDK finds unless connection.credentials gives others.',
  ],
  [
    /^AccessDenied|^UnauthorizedOperation/,
    'SCHED_STORE_CONFIG',
    'Check tableName and the permissions: the README of @sched/dynamodb lists what the role needs.',
  ],
  [/EPROTO|_SSL|_TLS|CERT|SIGNATURE/, 'SCHED_STORE_CONFIG', 'Check endpoint: http or https.'],
  [/^ResourceNotFound/, 'SCHED_STORE_SCHEMA', 'Check tableName, region and endpoint.'],
  [/Item size|item collection|size to update/i, 'SCHED_PAYLOAD_TOO_LARGE', 'Make it smaller.'],
  [/^ValidationException/, 'SCHED_ARGUMENT_INVALID', 'A value cannot be stored or looked for.'],
  [/\bE[A-Z_]+\b|^TimeoutError/, 'SCHED_STORE_UNAVAILABLE', 'Check endpoint and region.'],
];

/**
 * What a call rejects with.
 *
 * @param wasAnswered whether there has been an answer before: whoever has provided credentials then may do so again
 */
export function storeError(error: unknown, wasAnswered: boolean): SchedError {
  const cause = error instanceof Error ? (error as DriverError) : new Error(String(error));
  const { name, message, code } = cause as DriverError;
  // Node tries each address of a host, and says of all that failed nothing but a code.
  const text = [name, code, message].filter((part) => part && part !== 'Error').join(' ');
  const found = toStoreError(cause, meanings, 'DynamoDB', text, text);
  const isPassing = wasAnswered && /^(Credentials|Token)ProviderError/.test(name);
  return isPassing ? new SchedError('SCHED_STORE_UNAVAILABLE', found.message, { cause }) : found;
}

/** Whether a request is to be made again after a while. */
export function isThrottled(error: unknown): boolean {
  const { name, CancellationReasons } = error as DriverError;
  if (name !== 'TransactionCanceledException') return throttling.test(name);
  const codes = (CancellationReasons ?? []).map(({ Code = 'None' }) => Code);
  return codes.some((code) => throttling.test(code)) && !codes.includes('ConditionalCheckFailed');
}

/** A client of the user's own has repeated a request, and what it answers may be what the first one has done. */
export function doubtful(cause: unknown): SchedError {
  return new SchedError(
    'SCHED_STORE_UNAVAILABLE',
    'DynamoDB failed: the answer to a request was lost, and the client made it again. Look whether it was applied, or give the client maxAttempts: 1.',
    { cause },
  );
}
