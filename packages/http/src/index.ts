export type { Answers, Bodies } from './answers.js';
export { type Api, createApi } from './api.js';
export type { AuditEntry, AuditSink } from './audit.js';
export type { Authorize, Caller, Connection, Right } from './caller.js';
export { openApi } from './openapi.js';
export type { ApiOptions, Limits } from './options.js';
export type { Redact, RunView, TaskView, TriggerView } from './views.js';
export { triggerInWords } from './words.js';
