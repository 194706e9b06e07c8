import * as v from 'valibot';
import { route } from '../route.js';

export const meSchema = v.strictObject({
  who: v.string(),
  may: v.picklist(['read', 'operate', 'admin']),
});

export const me = route({
  method: 'GET',
  path: '/me',
  operation: 'getMe',
  summary: 'Who the caller is, and what they may do.',
  may: 'read',
  query: v.strictObject({}),
  answer: meSchema,
  async handle({ caller: { who, may } }) {
    return { who, may };
  },
});
