import { batchStores } from './batches.js';
import type { BrokenStore } from './broken-store.js';
import { capabilityStores } from './capabilities.js';
import { editStores } from './edits.js';
import { faultStores } from './faults.js';
import { findingStores } from './finding.js';
import { historyStores } from './history.js';
import { idStores } from './ids.js';
import { itemOrderStores } from './item-order.js';
import { lateRefusalStores } from './late-refusals.js';
import { latestHistoryStores } from './latest-history.js';
import { lifecycleStores } from './lifecycle.js';
import { inputStores, lossStores } from './losses.js';
import { momentStores } from './moments.js';
import { notificationStores } from './notifications.js';
import { ownershipStores } from './ownership.js';
import { queueStores } from './queues.js';
import { refusalStores } from './refusals.js';
import { repetitionStores } from './repetition.js';
import { scaleStores } from './scale.js';
import { memberStores } from './sentences.js';
import { snapshotStores } from './snapshots.js';
import { textStores } from './texts.js';
import { timeStores } from './time.js';
import { writeBackStores } from './write-backs.js';

export const brokenStores: readonly BrokenStore[] = [
  ...ownershipStores,
  ...timeStores,
  ...editStores,
  ...lossStores,
  ...inputStores,
  ...capabilityStores,
  ...itemOrderStores,
  ...refusalStores,
  ...writeBackStores,
  ...batchStores,
  ...repetitionStores,
  ...notificationStores,
  ...historyStores,
  ...latestHistoryStores,
  ...textStores,
  ...lateRefusalStores,
  ...momentStores,
  ...queueStores,
  ...idStores,
  ...memberStores,
  ...findingStores,
  ...lifecycleStores,
  ...snapshotStores,
  ...scaleStores,
  ...faultStores,
];
