import type { Subscribe } from '@sched/core/adapter';
import type { RedisClient, RedisSubscriber } from './client.js';
import { decodeMoment, decodeText } from './records.js';

/** Listens to what is published on a channel, over a connection of its own. */
export function listenOn(client: RedisClient, channel: string): Subscribe {
  return async ({ hear, lost }) => {
    const subscriber = createSubscriber(client);
    const end = () => subscriber.disconnect();
    subscriber.on('error', () => {});
    subscriber.on('message', (_channel, message) => {
      const space = message.indexOf(' ');
      hear({
        queue: decodeText(message.slice(space + 1)),
        wakeAt: decodeMoment(message.slice(0, space)) ?? 0,
      });
    });
    try {
      await subscriber.connect();
      await subscriber.subscribe(channel);
    } catch (error) {
      end();
      throw error;
    }
    subscriber.on('end', lost);
    return end;
  };
}

/** A connection for listening: of a cluster, any node will do. */
function createSubscriber(client: RedisClient): RedisSubscriber {
  const nodes = 'nodes' in client ? client.nodes('all') : [client];
  const node = nodes[Math.floor(Math.random() * nodes.length)];
  if (!node) throw new Error('No node of the cluster is known');
  return node.duplicate({ lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: null });
}
