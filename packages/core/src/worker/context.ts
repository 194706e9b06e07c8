import type { Clock } from '../clock.js';
import type { Emitter } from '../events.js';
import type { MiddlewareStack } from '../middleware.js';
import type { PayloadCodec } from '../payload.js';
import type { TaskDefinition } from '../task.js';
import type { TriggerRegistry } from '../trigger-registry.js';
import type { WorkerSettings } from './options.js';
import type { Slots } from './slots.js';

/** What the workers of a scheduler share. */
export interface WorkerContext {
  readonly clock: Clock;
  readonly events: Emitter;
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly triggers: TriggerRegistry;
  readonly codec: PayloadCodec | undefined;
  readonly middleware: MiddlewareStack;
  readonly slots: Slots;
  readonly settings: WorkerSettings;
}
