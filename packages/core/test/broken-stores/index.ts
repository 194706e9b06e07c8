import { batchStores } from './batches.js';
import type { BrokenStore } from './broken-store.js';
import { capabilityStores } from './capabilities.js';
import { editStores } from './edits.js';
import { itemOrderStores } from './item-order.js';
import { inputStores, lossStores } from './losses.js';
import { notificationStores } from './notifications.js';
import { ownershipStores } from './ownership.js';
import { refusalStores } from './refusals.js';
import { repetitionStores } from './repetition.js';
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
];
