import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema, ObjectEntries } from 'valibot';
import type { Route } from './route.js';
import { routes } from './routes/index.js';
import { requestHeader } from './same-origin.js';
import { policiesSchema, runSchema, shownSchema, taskSchema, triggerSchema } from './views.js';

/** Schemas that have a name of their own in the document. */
const named: Readonly<Record<string, GenericSchema>> = {
  Task: taskSchema,
  ShownTask: shownSchema,
  Run: runSchema,
  Trigger: triggerSchema,
  Policies: policiesSchema,
};

let made: object | undefined;

/** The OpenAPI 3.1 document of the API, made of the schemas that check what comes in. */
export function openApi(): object {
  made ??= {
    openapi: '3.1.0',
    info: {
      title: '@sched/http',
      version: '1',
      description:
        'Tasks of @sched. Each operation says which right it takes. Moments are ISO 8601 in UTC; lengths of time in answers are milliseconds. Errors are application/problem+json with a stable code.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Relative to where the document is read, so it is right below any path and behind any proxy.
    servers: [{ url: '.' }],
    paths: pathsOf(routes),
    components: {
      schemas: {
        ...Object.fromEntries(
          Object.entries(named).map(([name, schema]) => [name, jsonSchema(schema, name)]),
        ),
        Problem: problem,
      },
      responses: {
        Problem: {
          description: 'It was not done.',
          content: {
            'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
          },
        },
      },
    },
  };
  return made;
}

const problem = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string', description: 'What the code means.' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Stable, for programs: SCHED_TASK_NOT_FOUND.' },
    detail: { type: 'string', description: 'What was wrong and what to do about it.' },
    details: {
      type: 'object',
      description: 'Facts for programs, where the caller can act on them.',
    },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
};

function pathsOf(all: readonly Route[]): Record<string, Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of all) {
    const operations = paths[route.path] ?? {};
    paths[route.path] = operations;
    operations[route.method.toLowerCase()] = operationOf(route);
  }
  return paths;
}

function operationOf(route: Route): object {
  const { operation, summary, may, method, path, query, body, answer } = route;
  return {
    operationId: operation,
    summary,
    description: `Takes the right to ${may}.`,
    parameters: [
      ...(path.includes('{id}') ? [parameter('id', 'path', { type: 'string' }, true)] : []),
      ...parametersOf(query.entries),
      ...(method === 'GET'
        ? []
        : [parameter(requestHeader, 'header', { type: 'string' }, false, headerNote)]),
    ],
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchema(body) } },
      },
    }),
    responses: {
      200: {
        description: 'Done.',
        content: answer
          ? { 'application/json': { schema: jsonSchema(answer) } }
          : { 'text/event-stream': { schema: { type: 'string' } } },
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

const headerNote =
  'Any value. Needed from programs that send neither a token in Authorization nor, as browsers do, Origin or Sec-Fetch-Site.';

function parametersOf(entries: ObjectEntries): object[] {
  return Object.entries(entries).map(([name, schema]) => {
    const { description, ...rest } = jsonSchema(schema as GenericSchema) as {
      description?: string;
    };
    return parameter(name, 'query', rest, false, description);
  });
}

function parameter(
  name: string,
  place: 'path' | 'query' | 'header',
  schema: object,
  required: boolean,
  description?: string,
): object {
  return { name, in: place, required, schema, ...(description && { description }) };
}

/** @param own the name under which this very schema is listed, so that it does not refer to itself */
function jsonSchema(schema: GenericSchema, own?: string): object {
  const definitions = Object.fromEntries(Object.entries(named).filter(([name]) => name !== own));
  const {
    $schema: _schema,
    $defs: _defs,
    ...rest
  } = toJsonSchema(schema, {
    definitions,
    target: 'draft-2020-12',
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  });
  return rest;
}
