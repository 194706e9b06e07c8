import type { ClaimRequest, NewTaskRecord, Settlement } from '@sched/core';
import { SchedError } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;
type Expected = { readonly revision: number };

const isLarge = (body: string | undefined) => body !== undefined && body.length > 2 ** 20;

function tooLarge(): SchedError {
  return new SchedError('SCHED_PAYLOAD_TOO_LARGE', 'A body is too long.');
}

const isIllFormed = (text: string | null | undefined) => text?.isWellFormed() === false;

function illFormed(): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', 'A text holds half of a surrogate pair.');
}

/** Stores that refuse a body, or a text, when a part of the call is stored already, or alter it in silence. */
export const lateRefusalStores: readonly BrokenStore[] = [
  broken(
    'inserts the records before one that it refuses for its body',
    'G8',
    'insert stores nothing when it refuses a body',
    class extends MemoryDataStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const answers: ('inserted' | 'exists')[] = [];
        for (const record of records) {
          if (isLarge(record.body)) throw tooLarge();
          answers.push(...(await super.insert([record])));
        }
        return answers;
      }
    },
  ),
  broken(
    'inserts all records but one that it refuses for its body',
    'G8',
    'insert stores nothing when it refuses a body',
    class extends MemoryDataStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const small = records.filter(({ body }) => !isLarge(body));
        const answers = await super.insert(small);
        if (small.length < records.length) throw tooLarge();
        return answers;
      }
    },
  ),
  broken(
    'edits everything but the body that it refuses',
    'G8',
    'update stores nothing when it refuses a body',
    class extends MemoryDataStore {
      override async update(id: string, { body, ...change }: Change, expected: Expected) {
        if (!isLarge(body)) {
          return super.update(id, body === undefined ? change : { ...change, body }, expected);
        }
        await super.update(id, change, expected);
        throw tooLarge();
      }
    },
  ),
  broken(
    'settles the tasks of a call before one whose next body it refuses',
    'G8',
    'settle as what is next stores nothing when it refuses a body',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const large = settlements.findIndex(({ next }) => isLarge(next?.body));
        if (large < 0) return super.settle(settlements);
        await super.settle(settlements.slice(0, large));
        throw tooLarge();
      }
    },
  ),
  broken(
    'settles a task and refuses the body of what it spawns',
    'G8',
    'settle as that of a spawned task stores nothing when it refuses a body',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const bodies = settlements.flatMap(({ spawn }) => spawn.map(({ body }) => body));
        if (!bodies.some(isLarge)) return super.settle(settlements);
        await super.settle(settlements.map((each) => ({ ...each, spawn: [] })));
        throw tooLarge();
      }
    },
  ),
  broken(
    'drops a body that it cannot keep',
    'G8',
    'refuses a body with SCHED_PAYLOAD_TOO_LARGE or keeps it',
    class extends MemoryDataStore {
      override update(id: string, { body, ...change }: Change, expected: Expected) {
        return super.update(
          id,
          body === undefined || isLarge(body) ? change : { ...change, body },
          expected,
        );
      }
    },
  ),
  broken(
    'inserts the records before one whose name it refuses',
    'G8',
    'insert of a name stores nothing when it refuses a text',
    class extends MemoryDataStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const odd = records.findIndex(({ name }) => isIllFormed(name));
        if (odd < 0) return super.insert(records);
        await super.insert(records.slice(0, odd));
        throw illFormed();
      }
    },
  ),
  broken(
    'writes another queue when an edit brings one that is ill-formed',
    'G8',
    'update of a queue keeps a text that it takes, or refuses it',
    class extends MemoryDataStore {
      override update(id: string, change: Change, expected: Expected) {
        const { queue } = change;
        const kept = queue === undefined ? change : { ...change, queue: queue.toWellFormed() };
        return super.update(id, kept, expected);
      }
    },
  ),
  broken(
    'settles a task and refuses the group of what it spawns',
    'G8',
    'settle, to spawn a task with a group, stores nothing when it refuses a text',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const isOdd = ({ group }: NewTaskRecord) => isIllFormed(group);
        if (!settlements.some(({ spawn }) => spawn.some(isOdd))) return super.settle(settlements);
        await super.settle(settlements.map((each) => ({ ...each, spawn: [] })));
        throw illFormed();
      }
    },
  ),
  broken(
    'ends the id of a run at its first character 0',
    'G8',
    'settle, with a history entry’s id, keeps a text that it takes, or refuses it',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((each) => ({
            ...each,
            history: each.history.map((run) => ({ ...run, id: run.id.replace(/\0.*/s, '') })),
          })),
        );
      }
    },
  ),
  broken(
    'claims a task for an owner whose name it then refuses',
    'G8',
    'claim for an owner stores nothing when it refuses a text',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest) {
        const result = await super.claim({ ...request, owner: request.owner.toWellFormed() });
        if (isIllFormed(request.owner)) throw illFormed();
        return result;
      }
    },
  ),
];
