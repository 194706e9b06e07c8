import * as v from 'valibot';
import { route } from '../route.js';
import { limitEntry } from '../schemas.js';
import { taskSchema } from '../views.js';

export const auditSchema = v.strictObject({
  entries: v.array(
    v.strictObject({
      at: v.string(),
      who: v.string(),
      may: v.picklist(['read', 'operate', 'admin']),
      action: v.string(),
      store: v.nullable(v.string()),
      id: v.nullable(v.string()),
      selection: v.optional(v.unknown()),
      changed: v.optional(v.number()),
      before: v.nullable(taskSchema),
      after: v.nullable(taskSchema),
      outcome: v.string(),
    }),
  ),
});

export const audit = route({
  method: 'GET',
  path: '/audit',
  operation: 'listAudit',
  summary:
    'The latest changes that were made through this process, newest first. The sink has all.',
  may: 'admin',
  query: v.strictObject({ limit: limitEntry(200, 50) }),
  answer: auditSchema,
  async handle({ audit, query: { limit = 50 } }) {
    return { entries: [...audit.latest(limit)] };
  },
});
