import type { Complain, TaskEvent } from './check-history.js';
import type { DeclaredTask } from './run-history.js';
import { iso, ScheduleStory } from './schedule-story.js';

type EventOf<Type extends TaskEvent['type']> = Extract<TaskEvent, { type: Type }>;

/** What a run goes by: how its task was declared when it was claimed. */
interface Terms {
  readonly task: DeclaredTask;
  readonly schedule: ScheduleStory;
  /** What it was claimed for, where that was seen. */
  readonly nominal?: number | undefined;
  readonly attempt?: number | undefined;
}

/** What is known of one id, through its edits, and through its lives where it was removed and created anew. */
export class TaskStory {
  readonly #isThere: (id: string) => boolean;
  readonly #schedules: ScheduleStory[] = [];
  readonly #terms = new Map<string, Terms>();
  #task: DeclaredTask;
  #schedule: ScheduleStory;
  #hasEnded = false;
  #isRemoved = false;
  #isPaused = false;
  #isLeased = false;
  #resumedAt = Number.NEGATIVE_INFINITY;

  /** @param isThere whether there may be such a task now */
  constructor(task: DeclaredTask, isThere: (id: string) => boolean) {
    this.#isThere = isThere;
    this.#task = task;
    this.#schedule = this.#begin(task);
  }

  /** Whether something is to come of it. */
  get isThere(): boolean {
    return !this.#isRemoved && !this.#hasEnded && !this.#schedule.isOver;
  }

  note(event: TaskEvent, complain: Complain): void {
    const { type } = event;
    if (this.#isRemoved && isOfWhatIsThere(type)) complain('G6', `is ${type}, and was removed`);
    if (type === 'declared') this.#declare(event);
    else if (type === 'edited') this.#edit(event);
    else if (type === 'removed') {
      this.#schedule.cutShort();
      this.#isRemoved = true;
    } else if (type === 'paused') this.#isPaused = true;
    else if (type === 'resumed') {
      this.#isPaused = false;
      this.#resumedAt = event.at;
    } else if (type === 'claimed') this.#claim(event, complain);
    else if (type === 'freed') {
      if (event.child !== undefined) return;
      this.#isLeased = false;
      this.#schedule.putOff(event.until);
    } else if (type === 'started') this.#start(event, complain);
    else if (type === 'recorded') this.#record(event, complain);
    else if (type === 'spawned') {
      this.#schedule.spawn(event, this.#task, this.#isThere, complain);
    } else if (type === 'ended') {
      this.#schedule.end(complain);
      this.#hasEnded = true;
    } else if (type === 'left') this.#leave(event, complain);
    else if (type !== 'extended') this.#termsOf(event).schedule.note(event);
  }

  /** What only the whole of it shows. */
  judge(complain: Complain): void {
    for (const schedule of this.#schedules) schedule.judge(complain);
  }

  #begin(task: DeclaredTask, former?: ScheduleStory): ScheduleStory {
    this.#schedule = new ScheduleStory(task, former);
    this.#schedules.push(this.#schedule);
    this.#hasEnded = false;
    return this.#schedule;
  }

  #declare(task: DeclaredTask): void {
    this.#task = task;
    this.#begin(task);
    this.#isRemoved = false;
    this.#isPaused = false;
    this.#isLeased = false;
    this.#resumedAt = Number.NEGATIVE_INFINITY;
  }

  #edit({ type: _type, occurrences, open, ...changes }: EventOf<'edited'>): void {
    this.#task = { ...this.#task, ...changes };
    if (!occurrences && !open) return;
    this.#schedule.cutShort();
    this.#task = { ...this.#task, occurrences: occurrences ?? [], open: open ?? [] };
    this.#begin(this.#task, this.#schedule);
  }

  #claim(event: EventOf<'claimed'>, complain: Complain): void {
    const { child, at, nominal, attempt } = event;
    const [task, schedule] = [this.#task, this.#schedule];
    this.#terms.set(keyOf(event), { task, schedule, nominal, attempt });
    if (child !== undefined) return;
    if (this.#hasEnded) complain('G2', 'was claimed, and had come to its end');
    if (this.#isPaused) complain('G6', 'was claimed while it was paused');
    // A lease that has run out makes it due, whatever it has been put off to since.
    const isTakenOver = this.#isLeased;
    this.#isLeased = true;
    if (nominal !== undefined) schedule.claim(nominal, isTakenOver ? undefined : at, complain);
  }

  #start(event: EventOf<'started'>, complain: Complain): void {
    const terms = this.#termsOf(event);
    this.#terms.set(keyOf(event), terms);
    const { nominal = event.nominal, attempt = event.attempt, task, schedule } = terms;
    if (event.nominal !== nominal || event.attempt !== attempt) {
      const claim = `attempt ${attempt} for ${iso(nominal)}`;
      complain('G3', `began attempt ${event.attempt} for ${iso(event.nominal)}, not ${claim}`);
    }
    schedule.start(event, task, complain);
  }

  #record(event: EventOf<'recorded'>, complain: Complain): void {
    const { task, schedule } = this.#termsOf(event);
    if (event.outcome !== 'skipped') schedule.record(event, task, complain);
    // Skipping is decided by the task as it is.
    else this.#schedule.skip(event, task, this.#resumedAt, complain);
  }

  #leave({ state, leasedTo, isDue, nominal }: EventOf<'left'>, complain: Complain): void {
    const hasEnded = state === 'finished' || state === 'failed';
    if (!hasEnded && (isDue || !this.#schedule.mayGoOn)) complain('G1', `is still ${state}`);
    if (leasedTo !== null) complain('G1', `is still leased to ${leasedTo}`);
    if (nominal != null) this.#schedule.reach(nominal);
  }

  #termsOf(event: { readonly child?: string; readonly token?: number }): Terms {
    const known = this.#terms.get(keyOf(event));
    return known ?? { task: this.#task, schedule: this.#schedule };
  }
}

/** Whether nothing of the sort happens to a task that was removed. What went on in it may go on. */
function isOfWhatIsThere(type: TaskEvent['type']): boolean {
  return ['claimed', 'edited', 'spawned', 'ended', 'left'].includes(type);
}

const keyOf = ({ child = '', token }: { readonly child?: string; readonly token?: number }) =>
  `${token} ${child}`;
