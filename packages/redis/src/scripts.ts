/**
 * Everything that the store does, as scripts that Redis runs atomically. What they share, and what they are all given,
 * is in lua.ts; the arguments named here follow.
 *
 * @module
 */
import { reading, writing } from './lua.js';

/** Greater than every serial, and exact in Lua. */
const noBound = '9000000000000000';

/** Arguments: version, shards, whether to create. Gives the version and the shards; no version if there is nothing. */
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
load(restOfArgs(3))
local answers = {}
while position < #ARGV do push(answers, create(nextArg(), nextArg(), nextArg())) end
commit()
return answers
`);

/** Arguments: ids. Gives the envelopes and the bodies. */
export const get = reading(`
local ids = restOfArgs(1)
return { fetch(tasks, ids), fetch(bodies, ids) }
`);

/** Arguments: id, revision, changed members of the envelope, and the body if it is changed. */
export const update = writing(`
local id, revision, change, body = nextArg(), nextArg(), nextArg(), nextArg()
load({ id })
local task = held[id]
if not task then return 'missing' end
if task.revision ~= revision then return 'conflict' end
merge(task, change)
task.revision = number()
put(id, task, body)
commit()
return 'updated'
`);

/**
 * Arguments: the prefix of the group or nothing, the serial to go on after, the most tasks to find, the most to look
 * at, the filter, and whether they are to be given rather than counted. Gives where to go on, or nothing at the end.
 */
export const list = reading(`
local prefix, from, limit, look = nextArg(), nextArg(), tonumber(nextArg()), tonumber(nextArg())
local filter, isWanted = decode(nextArg()), nextArg()
local ids, envelopes, last = {}, {}, from
local candidates = page(prefix, from, ${noBound}, look)
local isMore = #candidates == look
for i, envelope in ipairs(fetch(tasks, candidates)) do
  local task = envelope and decode(envelope) or {}
  local matches = envelope
  for key, value in pairs(filter) do
    if value == cjson.null then value = nil end
    if task[key] ~= value then matches = false end
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
return { next, ids, envelopes, fetch(bodies, ids) }
`);

/** Arguments: the prefix of a group or nothing. Gives how many tasks there are. */
export const size = reading(`
local prefix = nextArg()
if prefix == '' then return call('ZCARD', order) end
return call('ZLEXCOUNT', groups, '[' .. prefix, '(' .. prefix .. ':')
`);

/**
 * Arguments: `remove`, `pause` or `resume`; `ids` followed by them, or the prefix of the group or nothing, the serial
 * to go on after, the last serial that is meant (nothing at first) and the most tasks to look at. Gives how many
 * changed, where to go on and the last serial that is meant.
 */
export const change = writing(`
local action, prefix = nextArg(), nextArg()
local ids, to, isMore
if prefix == 'ids' then
  ids = restOfArgs(1)
else
  local from, limit
  from, to, limit = nextArg(), nextArg(), tonumber(nextArg())
  if to == '' then to = call('HGET', meta, 'counter') or '0' end
  ids = page(prefix, from, to, limit)
  isMore = #ids == limit
end
load(ids)
local count, last = 0, ''
for _, id in ipairs(ids) do
  local task = held[id]
  if task then
    last = task.serial
    local isPaused = action == 'pause'
    if action == 'remove' then
      put(id, nil)
      count = count + 1
    elseif (task.paused or false) ~= isPaused then
      task.paused = isPaused or nil
      if not isPaused then task.resumedAt = text(now) end
      put(id, task)
      count = count + 1
    end
  end
end
commit()
return { count, isMore and last or '', to or '' }
`);

/**
 * Arguments: the most tasks to take, owner, duration of the lease, queues. Gives the time, the first moments of the
 * queues, and of the tasks: the ids, envelopes, bodies, and whose lease had run out.
 */
export const claim = writing(`
local limit, owner, leaseMs = tonumber(nextArg()), nextArg(), nextArg()
local expiresAt, queues = text(now + leaseMs), restOfArgs(1)
local entries, found = {}, {}
for _, queue in ipairs(queues) do
  local prefix = prefixOf(queue)
  for _, entry in ipairs(dueEntries(prefix, limit - #found)) do
    push(entries, entry)
    push(found, entry:sub(entry:find(':', #prefix + 1, true) + 1))
  end
end
load(found)
local ids, lapsed, envelopes = {}, {}, {}
for i, id in ipairs(found) do
  local task = held[id]
  if task then
    push(ids, id)
    push(lapsed, task.owner or false)
    task.token, task.owner, task.expiresAt = number(), owner, expiresAt
    task.deliveries = (task.deliveries or 0) + 1
    put(id, task)
  else
    call('ZREM', due, entries[i])
  end
end
commit()
for i, id in ipairs(ids) do envelopes[i] = encoded[id] end
return { text(now), firstEntries(queues), ids, envelopes, fetch(bodies, ids), lapsed }
`);

/** What a claim would take. Arguments: the most tasks, queues. Gives the moments that are due, by queue. */
export const peek = reading(`
local limit, queues = nextArg(), restOfArgs(1)
local moments = {}
for i, queue in ipairs(queues) do
  local prefix = prefixOf(queue)
  moments[i] = dueEntries(prefix, limit)
  for k, entry in ipairs(moments[i]) do moments[i][k] = entry:match('^%-?%d+', #prefix + 1) end
end
return { text(now), firstEntries(queues), moments, call('ZCARD', outbox) }
`);

/** Arguments: duration of the leases, id and token of each. Gives the revisions, or nothing where the lease is lost. */
export const extend = writing(`
local expiresAt, answers = text(now + nextArg()), {}
load(restOfArgs(2))
while position < #ARGV do
  local id, token = nextArg(), nextArg()
  local task = held[id]
  local isLive = task and task.token == token and tonumber(task.expiresAt) > now
  push(answers, isLive and task.revision or '')
  if isLive then
    task.expiresAt = expiresAt
    put(id, task)
  end
end
commit()
return answers
`);

/** Arguments: id, token and the moment to defer to, or nothing, of each. */
export const release = writing(`
load(restOfArgs(3))
local answers = {}
while position < #ARGV do
  local id, token, deferUntil = nextArg(), nextArg(), nextArg()
  local task = held[id]
  local isHeld = task and task.token == token
  push(answers, isHeld and 'released' or 'lost')
  if isHeld then
    endLease(task)
    task.deliveries = task.deliveries > 1 and task.deliveries - 1 or nil
    if deferUntil ~= '' and task.runAt and tonumber(deferUntil) > tonumber(task.runAt) then
      task.runAt = deferUntil
    end
    put(id, task)
  end
end
commit()
return answers
`);

// The runs of a task are a hash of bodies by entry id, and a sorted set of `<number> <entry id>` by moment.
/**
 * Arguments: the most entries to keep and their age, or nothing for either; how long idle histories stay, or nothing;
 * how many ids there are in all, and these; then of each settlement: id, token, revision, what becomes of the
 * envelope or nothing, body; how many entries, and of each the position of its keys, id, moment, body; how many tasks
 * to insert here, and of each id, envelope, body; how many for other shards, and these as JSON.
 */
export const settle = writing(`
local keep, maxAge, expiry = tonumber(nextArg()), tonumber(nextArg()), nextArg()
local answers, ids = {}, {}
for i = 1, tonumber(nextArg()) do ids[i] = nextArg() end
load(ids)

local function forget(runs, history, members)
  for _, member in ipairs(members) do
    call('HDEL', runs, member:sub(18))
    call('ZREM', history, member)
  end
end

local function append(key, id, at, body)
  local runs, history = KEYS[key], KEYS[key + 1]
  if keep == 0 or call('HSETNX', runs, id, body) == 0 then return end
  call('ZADD', history, at, number() .. ' ' .. id)
  if keep then forget(runs, history, call('ZRANGE', history, 0, -keep - 1)) end
  if maxAge then
    local stale = call('ZRANGEBYSCORE', history, '-inf', '(' .. text(now - maxAge), 'LIMIT', 0, 100)
    forget(runs, history, stale)
  end
  if expiry ~= '' then
    call('PEXPIRE', runs, expiry)
    call('PEXPIRE', history, expiry)
  end
end

while position < #ARGV do
  local id, token, revision, change, body = nextArg(), nextArg(), nextArg(), nextArg(), nextArg()
  local task, answer = held[id], 'settled'
  local applies = task and task.token == token and task.settled ~= token
  if applies and task.revision ~= revision then
    applies, answer = false, 'conflict'
  elseif not applies and not (task and task.settled == token) then
    answer = 'lost'
  end
  push(answers, answer)
  if applies and change == '' then
    put(id, nil)
  elseif applies then
    merge(task, change)
    endLease(task)
    task.deliveries, task.settled, task.revision = nil, token, number()
    put(id, task, body)
  end
  for _ = 1, tonumber(nextArg()) do
    local key, entry, at, run = tonumber(nextArg()), nextArg(), nextArg(), nextArg()
    if applies then append(key, entry, at, run) end
  end
  for _ = 1, tonumber(nextArg()) do
    local child, envelope, childBody = nextArg(), nextArg(), nextArg()
    if applies then create(child, envelope, childBody) end
  end
  for _ = 1, tonumber(nextArg()) do
    local record = nextArg()
    if applies then
      local sequence = number()
      call('ZADD', outbox, sequence, sequence .. ' ' .. record)
    end
  end
end
commit()
return answers
`);

/** Arguments: up to where the outbox has been delivered, or nothing. Gives what is to be delivered next. */
export const drain = reading(`
local delivered = nextArg()
if delivered ~= '' then call('ZREMRANGEBYSCORE', outbox, '-inf', delivered) end
return call('ZRANGE', outbox, 0, 99)
`);

/**
 * Arguments: the shard whose outbox this is from; id, sequence, envelope and body of each task, in the order of the
 * outbox. What has been delivered before is passed over, though its tasks may be gone by now.
 */
export const deliver = writing(`
local field = 'from:' .. nextArg()
local last = tonumber(call('HGET', meta, field) or 0)
load(restOfArgs(4))
while position < #ARGV do
  local id, sequence, envelope, body = nextArg(), tonumber(nextArg()), nextArg(), nextArg()
  if sequence > last then
    last = sequence
    create(id, envelope, body)
  end
end
call('HSET', meta, field, text(last))
commit()
`);

/** Arguments: the most entries and their age, or nothing. Gives entry by moment, newest first, and their bodies. */
export const history = reading(`
local limit, maxAge = nextArg(), tonumber(nextArg())
local runs, history, oldest = KEYS[8], KEYS[9], maxAge and text(now - maxAge) or '-inf'
local range = { 'ZREVRANGEBYSCORE', history, '+inf', oldest, 'WITHSCORES', 'LIMIT', 0, limit }
local members, ids = call(unpack(range)), {}
for i = 1, #members, 2 do push(ids, members[i]:sub(18)) end
return { members, fetch(runs, ids) }
`);
