import { every, type When } from '../../src/index.js';
import { Cluster, type ClusterOptions, kindNames, type Member, type Work } from './cluster.js';
import { pick } from './random.js';

const minuteMs = 60_000;

/** Half an hour of chaos, then as long a time in peace for what is left to be done. */
export async function simulate(options: ClusterOptions & { readonly tasks: number }) {
  const cluster = new Cluster(options);
  const { clock, random } = cluster;
  const ids: string[] = [];
  for (let i = 0; i < options.tasks; i++) {
    const id = `t${i}`;
    ids.push(id);
    await declare(cluster, id);
  }
  for (let i = 0; i < 3; i++) await cluster.join();
  const chaosEndsAt = clock.now() + 30 * minuteMs;
  while (clock.now() < chaosEndsAt) {
    await clock.advance(1 + cluster.below(15_000));
    if (cluster.chance(30)) await disturb(cluster);
    else await cluster.settled(use(cluster, pick(random, ids)));
  }
  cluster.calm();
  await cluster.client.resume({ all: true });
  // One that knows every kind, at the least.
  for (let i = 0; i < 2; i++) await cluster.join();
  await clock.advance(30 * minuteMs);
  await cluster.client.pause({ all: true });
  await clock.advance(20 * minuteMs);
  return cluster.end();
}

/** A time of any kind: once or again and again, with and without an end. */
function anyTime(cluster: Cluster): When {
  const { clock } = cluster;
  const length = () => (1 + cluster.below(6)) * minuteMs;
  const kind = cluster.below(6);
  if (kind === 0) return { at: clock.now() - minuteMs + cluster.below(30 * minuteMs) };
  if (kind === 1) return { in: 1 + cluster.below(20 * minuteMs) };
  if (kind === 2) return { cron: pick(cluster.random, ['* * * * *', '*/5 * * * *', '0 * * * *']) };
  if (kind === 3) return { every: length() };
  if (kind === 4) return { trigger: every(length(), { limit: 1 + cluster.below(5) }) };
  return { trigger: every(length(), { jitter: 1 + cluster.below(90_000) }) };
}

function anyWork(cluster: Cluster, version: number): Work {
  return {
    upToMs: pick(cluster.random, [0, 0, 1000, 30_000, 300_000]),
    failing: pick(cluster.random, [0, 0, 0, 20, 100]),
    version,
  };
}

async function declare(cluster: Cluster, id: string): Promise<void> {
  const kind = pick(cluster.random, kindNames);
  await cluster.client.schedule(cluster.shape(kind), {
    payload: anyWork(cluster, 1),
    id,
    ...anyTime(cluster),
    group: `g${cluster.below(5)}`,
    onConflict: pick(cluster.random, ['update', 'update', 'replace', 'keep']),
  });
}

/** What users do, wherever they do it. What is refused, or fails on its way, is their own concern. */
async function use(cluster: Cluster, id: string): Promise<void> {
  const { random, client, members } = cluster;
  const where =
    cluster.chance(60) || members.length === 0 ? client : pick(random, members).scheduler;
  const what = cluster.below(12);
  const version = cluster.clock.now();
  try {
    if (what <= 2) await declare(cluster, id);
    else if (what === 3) await where.update(id, { payload: anyWork(cluster, version) });
    else if (what === 4) await where.update(id, anyTime(cluster));
    else if (what === 5) await where.pause(cluster.chance(80) ? id : { group: 'g1' });
    else if (what <= 7) await where.resume(cluster.chance(80) ? id : { group: 'g1' });
    else if (what === 8) await where.remove(id);
    else if (what === 9) await where.runNow(id);
    else if (what === 10) await where.cancel(id);
    else if ((await where.get(id))?.name !== 'once') await where.retry(id);
  } catch {
    return;
  }
}

/** What happens to machines and networks. */
async function disturb(cluster: Cluster): Promise<void> {
  const { members, random } = cluster;
  const what = cluster.below(5);
  const victim = members.length > 0 ? pick(random, members) : undefined;
  if (!victim || (what === 0 && members.length < 5)) await cluster.join();
  else if (what === 1) cut(cluster, victim);
  else if (what === 2) await cluster.leave(victim, true);
  else if (what === 3) await cluster.leave(victim, false);
  else victim.frozenUntil = cluster.clock.now() + cluster.below(60_000);
}

function cut(cluster: Cluster, victim: Member): void {
  victim.state = 'cut';
  void cluster.clock.sleep(1 + cluster.below(40_000)).then(() => {
    if (victim.state === 'cut') victim.state = 'up';
  });
}
