/**
 * Everything that the store does, as scripts that Redis runs atomically. What they share, and what they are all given,
 * is in lua.ts; the arguments named here follow. A prefix is what index entries begin with.
 *
 * @module
 */
import { reading, writing } from './lua.js';

/** Arguments: version, shards, whether to create. Gives the version and the shards; nothing if there is nothing. */
export const open = reading(`
local found = call('HMGET', meta, 'schema', 'shards')
if found[1] then return found end
if call('EXISTS', meta) == 0 and call('EXISTS', unpack(KEYS)) > 0 then return { 'foreign' } end
local version, shards, create = nextArg(), nextArg(), nextArg()
if create == '' then return {} end
call('HSET', meta, 'schema', version, 'shards', shards)
return { version, shards }
`);

export const clock = reading(`
return text(now)
`);

/** Arguments: id, envelope and body of each task. */
export const insert = writing(`
local answers = {}
while position < #ARGV do push(answers, create(nextArg(), nextArg(), nextArg())) end
commit()
return answers
`);

/** Arguments: ids. Gives the envelope and the body of each. */
export const get = reading(`
local ids = restOfArgs()
local envelopes, answers = inBulk('HMGET', tasks, ids), {}
for i, body in ipairs(inBulk('HMGET', bodies, ids)) do answers[i] = { envelopes[i], body } end
return answers
`);

/** Arguments: id, revision, changed members of the envelope, and the body if it is changed. */
export const update = writing(`
local id, revision, change = nextArg(), nextArg(), nextArg()
local task = find(id)
if not task then return { 'missing' } end
if task.revision ~= revision then return { 'conflict' } end
merge(task, change)
task.revision = number()
put(id, task, nextArg())
commit()
return { 'updated' }
`);

/**
 * Arguments: prefix, the serial to go on after, the most tasks to find, the most to look at, the filter, and whether
 * they are to be given rather than counted. Gives where to go on, or nothing at the end.
 */
export const list = reading(`
local prefix, from, limit, look = nextArg(), nextArg(), nextNumber(), nextNumber()
local filter, isWanted = decode(nextArg()), nextArg()
local ids, envelopes, last = {}, {}, from
local candidates = page(prefix, from, ':', look)
local isMore = #candidates == look
for i, envelope in ipairs(inBulk('HMGET', tasks, candidates)) do
  local task, matches = envelope and decode(envelope) or {}, envelope
  task.leased = tonumber(task.expiresAt or now) > now or nil
  for key, value in pairs(filter) do
    if task[key] ~= (value ~= cjson.null and value or nil) then matches = false end
  end
  last = task.serial or last
  if matches then
    push(ids, candidates[i])
    push(envelopes, envelope)
    if #ids == limit then
      isMore = isMore or i < #candidates
      break
    end
  end
end
local next = isMore and last or ''
if isWanted == '' then return { next, #ids } end
return { next, ids, envelopes, inBulk('HMGET', bodies, ids) }
`);

/** Arguments: prefix. Gives how many tasks there are. */
export const size = reading(`
local prefix = nextArg()
return call('ZLEXCOUNT', listed, '[' .. prefix, '(' .. prefix .. ':')
`);

/**
 * Arguments: `remove`, `pause` or `resume`; a prefix, the serial to go on after, the last that is meant (nothing at
 * first) and the most tasks to look at; or nothing, and then ids. Gives how many changed, where to go on and the last
 * serial that is meant; or, of each id, 1 if it changed.
 */
export const change = writing(`
local action, prefix = nextArg(), nextArg()
local ids, to, isMore
if prefix == '' then
  ids = restOfArgs()
else
  local from, bound, limit = nextArg(), nextArg(), nextNumber()
  to = bound == '' and call('HGET', meta, 'counter') or bound
  ids = page(prefix, from, to or '', limit)
  isMore = #ids == limit
end
local answers, count, last, isPaused = {}, 0, '', action == 'pause'
for i, id in ipairs(ids) do
  local task = find(id)
  local changes = task and (action == 'remove' or (task.paused or false) ~= isPaused)
  answers[i] = changes and 1 or 0
  count = count + answers[i]
  last = task and task.serial or last
  if changes and action == 'remove' then
    put(id, false)
  elseif changes then
    task.paused = isPaused or nil
    if not isPaused then task.resumedAt = text(now) end
    put(id, task)
  end
end
commit()
if prefix == '' then return answers end
return { count, isMore and last or '', to }
`);

/**
 * Arguments: the most tasks to take, owner, duration of the lease, queues. Gives the time, the first moments of the
 * queues, and of the tasks: the ids, envelopes, bodies, and whose lease had run out.
 */
export const claim = writing(`
local limit, owner, expiresAt = nextNumber(), nextArg(), text(now + nextArg())
local queues = restOfArgs()
local ids, lapsed, envelopes = {}, {}, {}
for _, queue in ipairs(queues) do
  local prefix = prefixOf(queue)
  for _, entry in ipairs(dueEntries(prefix, limit - #ids)) do
    local _, id = parse(entry, prefix)
    local task = find(id, entry)
    if task then
      push(ids, id)
      push(lapsed, task.owner or false)
      task.token, task.owner, task.expiresAt = number(), owner, expiresAt
      task.deliveries = (task.deliveries or 0) + 1
      put(id, task)
    else
      call('ZREM', due, entry)
    end
  end
end
commit()
for i, id in ipairs(ids) do envelopes[i] = encoded[id] end
return { text(now), firstMoments(queues), ids, envelopes, inBulk('HMGET', bodies, ids), lapsed }
`);

/** What a claim would take. Arguments: the most tasks, queues. Gives the moments that are due, by queue. */
export const peek = reading(`
local limit, queues, moments = nextArg(), restOfArgs(), {}
for i, queue in ipairs(queues) do
  local prefix = prefixOf(queue)
  moments[i] = dueEntries(prefix, limit)
  for k, entry in ipairs(moments[i]) do moments[i][k] = parse(entry, prefix) end
end
return { text(now), firstMoments(queues), moments, call('ZCARD', outbox) }
`);

/** Arguments: duration of the leases, id and token of each. Gives the revisions, or nothing where the lease is lost. */
export const extend = writing(`
local expiresAt, answers = text(now + nextArg()), {}
while position < #ARGV do
  local id, token = nextArg(), nextArg()
  local task = find(id)
  local isHeld = task and task.token == token
  push(answers, isHeld and task.revision or '')
  if isHeld then
    task.expiresAt = expiresAt
    put(id, task)
  end
end
commit()
return answers
`);

/** Arguments: id, token and the moment to defer to, or nothing, of each. */
export const release = writing(`
local answers = {}
while position < #ARGV do
  local id, token, deferUntil = nextArg(), nextArg(), nextNumber()
  local task = find(id)
  local isHeld = task and task.token == token
  push(answers, isHeld and 'released' or 'lost')
  if isHeld then
    endLease(task)
    task.deliveries = task.deliveries > 1 and task.deliveries - 1 or nil
    if deferUntil and task.runAt and deferUntil > tonumber(task.runAt) then
      task.runAt = text(deferUntil)
    end
    put(id, task)
  end
end
commit()
return answers
`);

// The history of a task is a hash of `<moment> <number> <body>` by entry id.
const histories = `
local function historyOf(taskId)
  return meta:sub(1, -5) .. 'history:' .. taskId
end
`;

/**
 * Arguments: the most entries to keep and the age of the oldest, or nothing for either; how long idle histories stay,
 * or nothing; of each settlement: id, token, revision, what becomes of the envelope or nothing, body; how many entries,
 * and of each the task id, entry id, moment, body; how many tasks to insert here, and of each id, envelope, body; how
 * many for other shards, and of each JSON.
 */
export const settle = writing(`${histories}
local keep, maxAge, expiry = nextNumber(), nextNumber(), nextArg()
local answers = {}

local function tidy(history)
  local found, entries, stale = call('HGETALL', history), {}, {}
  for i = 1, #found, 2 do
    local at, sequence = found[i + 1]:match('^(%S+) (%S+)')
    entries[#entries + 1] = { id = found[i], at = tonumber(at), sequence = tonumber(sequence) }
  end
  table.sort(entries, function(a, b)
    return a.at > b.at or a.at == b.at and a.sequence > b.sequence
  end)
  for i, entry in ipairs(entries) do
    if keep and i > keep or maxAge and entry.at < now - maxAge then push(stale, entry.id) end
  end
  inBulk('HDEL', history, stale)
end

local function append(taskId, id, at, body)
  local history, sequence = historyOf(taskId), number()
  if keep == 0 or call('HSETNX', history, id, at .. ' ' .. sequence .. ' ' .. body) == 0 then
    return
  end
  if expiry ~= '' then call('PEXPIRE', history, expiry) end
  local size = call('HLEN', history)
  if size > 16 and counter % size < 16 then tidy(history) end
end

while position < #ARGV do
  local id, token, revision, change, body = nextArg(), nextArg(), nextArg(), nextArg(), nextArg()
  local task, answer = find(id), 'lost'
  if task and task.settled == token then
    answer = 'settled'
  elseif task and task.token == token then
    answer = task.revision == revision and 'applied' or 'conflict'
  end
  local applies = answer == 'applied'
  push(answers, applies and 'settled' or answer)
  if applies and change == '' then
    put(id, false)
  elseif applies then
    merge(task, change)
    endLease(task)
    task.deliveries, task.settled, task.revision = nil, token, number()
    put(id, task, body)
  end
  for _ = 1, nextNumber() do
    local taskId, entryId, at, run = nextArg(), nextArg(), nextArg(), nextArg()
    if applies then append(taskId, entryId, at, run) end
  end
  for _ = 1, nextNumber() do
    local child, envelope, childBody = nextArg(), nextArg(), nextArg()
    if applies then create(child, envelope, childBody) end
  end
  for _ = 1, nextNumber() do
    local record, sequence = nextArg(), applies and number()
    if applies then call('ZADD', outbox, sequence, sequence .. ' ' .. record) end
  end
end
commit()
return answers
`);

/** Arguments: task id. Gives the time, and entry ids, each followed by its entry. */
export const history = reading(`${histories}
return { text(now), call('HGETALL', historyOf(nextArg())) }
`);

/** Arguments: up to where the outbox has been delivered, or nothing. Gives what is to be delivered next. */
export const drain = reading(`
call('ZREMRANGEBYSCORE', outbox, '-inf', nextNumber() or 0)
return call('ZRANGE', outbox, 0, 99)
`);

/**
 * Arguments: the shard whose outbox this is from; sequence, id, envelope and body of each task. What has been delivered
 * before is passed over, though its task may be gone by now. A day later nobody is at it any more.
 */
export const deliver = writing(`
local source = nextArg()
while position < #ARGV do
  local sequence, id, envelope, body = nextArg(), nextArg(), nextArg(), nextArg()
  if call('ZADD', delivered, 'NX', sequence, source .. ':' .. sequence) == 1 then
    create(id, envelope, body)
  end
end
call('ZREMRANGEBYSCORE', delivered, '-inf', (time[1] - 86400) * 1000000)
commit()
`);
