import type { BrokenStore } from './broken-store.js';
import { capabilityStores } from './capabilities.js';
import { editStores } from './edits.js';
import { faultStores } from './faults.js';
import { itemOrderStores } from './item-order.js';
import { inputStores, lossStores } from './losses.js';
import { ownershipStores } from './ownership.js';
import { refusalStores } from './refusals.js';
import { scaleStores } from './scale.js';
import { timeStores } from './time.js';

export const brokenStores: readonly BrokenStore[] = [
  ...ownershipStores,
  ...timeStores,
  ...editStores,
  ...lossStores,
  ...inputStores,
  ...capabilityStores,
  ...itemOrderStores,
  ...refusalStores,
  ...scaleStores,
  ...faultStores,
];
