import { headers } from '../answer.js';
import { route } from '../route.js';
import { storeQuery } from '../schemas.js';

export const events = route({
  method: 'GET',
  path: '/events',
  operation: 'streamEvents',
  summary:
    'What happens in the scheduler of this process, as server-sent events: those of @sched/core by their names; `changed` for each change made through this process; `hello` at first; `reset` where events were missed and lists have to be read anew; `more` with the numbers of those that were too many to send.',
  may: 'read',
  query: storeQuery,
  async handle({ caller, store, request, events }) {
    const lastId = request.headers.get('last-event-id');
    return new Response(events.open(caller.who, store, lastId), {
      headers: {
        ...headers,
        'content-type': 'text/event-stream',
        // nginx holds back what it is sent unless it is told not to.
        'x-accel-buffering': 'no',
      },
    });
  },
});
