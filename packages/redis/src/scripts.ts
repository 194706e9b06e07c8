/**
 * Everything that the store does, as scripts that Redis runs atomically. What they share, and what they are all given,
 * is in lua.ts, and so is the form of what is stored; the arguments named here follow.
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

/**
 * Arguments: how many tasks, their ids; then of each the record from its queue on, its body, its place or nothing, and
 * its group or nothing.
 */
export const insert = writing(`
local answers = {}
for i, id in ipairs(load(nextArgs(nextNumber()))) do
  answers[i] = create(id, nextArg(), nextArg(), nextArg(), nextArg())
end
commit()
return answers
`);

/** Arguments: ids. Gives the records and the bodies. */
export const get = reading(`
local ids = nextArgs(#ARGV - position)
return { read(tasks, ids), read(bodies, ids) }
`);

/** Arguments: id, revision; then the number of each member of the record that changes, and what it becomes. */
export const update = writing(`
local id, revision = nextArg(), nextArg()
local task = edit(id)
if not task then return 'missing' end
if task[revisionIn] ~= revision then return 'conflict' end
task[revisionIn] = number()
while position < #ARGV do task[nextNumber()] = nextArg() end
put(id, task)
commit()
return 'updated'
`);

// What goes through the tasks of a shard, or of a group, begins with two arguments: the serial to go on after, and the
// last that is meant, which is nothing at first. It answers with how many tasks it found or changed, where to go on, or
// nothing at the end, the last serial that is meant, and the time.
const walk = `
local from, to = nextArg(), nextArg()
if to == '' then to = call('HGET', meta, 'counter') or '0' end
`;

/**
 * Arguments: those of a walk, group or nothing, the most tasks to find, the most to look at, whether they are to be
 * given rather than counted; then conditions: the number of the member of the record, with 0 for whether there is a
 * live lease, and its value.
 */
export const list = reading(`${walk}
local group, limit, look, isWanted = nextArg(), nextNumber(), nextNumber(), nextArg()
local conditions, ids, found = {}, {}, {}
while position < #ARGV do conditions[nextNumber()] = nextArg() end
local candidates, serials = page(group, from, to, look)
local next = serials[look] or ''
for i, record in ipairs(read(tasks, candidates)) do
  local task = fieldsOf(record or '')
  local matches = record
  task[0] = matches and task[expiresIn] ~= '' and numberOf(task[expiresIn]) > now and '1' or ''
  for member, value in pairs(conditions) do matches = matches and task[member] == value end
  if matches then
    add(ids, candidates[i])
    add(found, record)
    if #ids == limit and i < #candidates then
      next = serials[i]
      break
    end
  end
end
if isWanted == '' then return { #ids, next, to, text(now) } end
return { #ids, next, to, text(now), ids, found, read(bodies, ids) }
`);

/** Arguments: group or nothing. Gives how many tasks there are. */
export const size = reading(`
local group = nextArg()
if group == '' then return call('ZCARD', listed) end
return call('ZLEXCOUNT', grouped, '[' .. group .. ' ', '(' .. group .. '!')
`);

/**
 * Arguments: those of a walk, group or nothing, the most tasks to look at, `remove`, `pause` or `resume`; then the ids
 * of tasks, if some are to be changed instead of those found on a walk.
 */
export const change = writing(`${walk}
local group, limit, action = nextArg(), nextNumber(), nextArg()
local ids, serials, count, paused = nextArgs(#ARGV - position), {}, 0, action == 'pause' and '1' or ''
if #ids == 0 then ids, serials = page(group, from, to, limit) end
for _, id in ipairs(load(ids)) do
  local task = edit(id)
  if task and action == 'remove' then
    drop(id, task.place, task.group)
    count = count + 1
  elseif task and task[pausedIn] ~= paused then
    task[pausedIn] = paused
    if paused == '' then task[resumedIn] = sortable(now) end
    put(id, task)
    count = count + 1
  end
end
commit()
return { count, serials[limit] or '', to, text(now) }
`);

/**
 * Arguments: the most tasks to take, owner, duration of the lease, queues. Gives the time, the first moments of the
 * queues, the token and the end of the leases; of the tasks, the ids, the records as they were before, and the bodies.
 */
export const claim = writing(`
local limit, owner, expiresAt = nextNumber(), nextArg(), sortable(now + nextArg())
local queues = nextArgs(#ARGV - position)
local ids, taken, ranges, token = {}, {}, {}, ''
for _, queue in ipairs(queues) do
  local entries = limit > #ids and dueEntries(queue, limit - #ids) or {}
  if #entries > 0 then
    push(ranges, entries[1], entries[#entries])
    token = token == '' and number() or token
    local start, place = #queue + 20, queue .. ' ' .. expiresAt .. ' '
    for i, entry in ipairs(entries) do entries[i] = sub(entry, start) end
    for _, id in ipairs(load(entries)) do
      local record = records[id]
      if record then
        local revision, deliveries, rest = match(record, '^[^ ]* (%d+) [^ ]* (%d+) [^ ]*()')
        add(ids, id)
        add(taken, record)
        push(saved, id, token .. ' ' .. revision .. ' ' .. expiresAt .. ' ' .. deliveries + 1
          .. ' ' .. owner .. sub(record, rest))
        push(dueIn, 0, place .. id)
      end
    end
  end
end
commit()
for i = 1, #ranges, 2 do
  call('ZREMRANGEBYLEX', due, '[' .. ranges[i], '[' .. ranges[i + 1])
end
return { text(now), firstMoments(queues), token, expiresAt, ids, taken, read(bodies, ids) }
`);

/**
 * What a claim would take. Arguments: the most tasks, queues. Gives the time, the first moments of the queues, the
 * moments that are due, by queue, and how much there is in the outbox.
 */
export const peek = reading(`
local limit, queues, moments = nextArg(), nextArgs(#ARGV - position), {}
for i, queue in ipairs(queues) do
  moments[i] = dueEntries(queue, limit)
  for k, entry in ipairs(moments[i]) do moments[i][k] = sub(entry, #queue + 2, #queue + 18) end
end
return { text(now), firstMoments(queues), moments, call('ZCARD', outbox) }
`);

/**
 * Arguments: duration of the leases; how many tasks, their ids; then the token of each. Gives the revisions, or nothing
 * where the lease is lost.
 */
export const extend = writing(`
local expiresAt, answers = sortable(now + nextArg()), {}
for i, id in ipairs(load(nextArgs(nextNumber()))) do
  local task = editHeld(id, nextArg())
  answers[i] = task and task[revisionIn] or ''
  if task then
    task[expiresIn] = expiresAt
    put(id, task)
  end
end
commit()
return answers
`);

/** Arguments: how many tasks, their ids; then of each the token, and the moment to defer to or nothing. */
export const release = writing(`
local answers = {}
for i, id in ipairs(load(nextArgs(nextNumber()))) do
  local task, deferUntil = editHeld(id, nextArg()), nextArg()
  answers[i] = task and 'released' or 'lost'
  if task then
    task[tokenIn], task[expiresIn], task[ownerIn] = '', '', ''
    task[deliveriesIn] = task[deliveriesIn] - 1
    local isEarlier = deferUntil ~= '' and task[runIn] ~= ''
      and numberOf(task[runIn]) < numberOf(deferUntil)
    if isEarlier then task[runIn] = deferUntil end
    put(id, task)
  end
end
commit()
return answers
`);

// The history of a task is a hash of `<number> <id> <moment> <body>` by the id of the entry. One entry alone is a string
// of the same: that takes half the time and less memory, and most tasks that end have no other.

/**
 * Arguments: the most entries to keep and the age of the oldest, or nothing for either; how long idle histories stay,
 * or nothing; how many settlements, and the ids of their tasks. Then of each: token, revision, and the status that the
 * task gets, or nothing if it is removed; with a status also whether it is to be paused, when it runs, and its body.
 * Then how many entries of the history there are, and of each the number of the settlement, and id, moment and body in
 * one; the keys of the histories are in this order. Then, of each task to insert, the number of the settlement, whether
 * it belongs to another shard, its id, and what `insert` takes after that.
 */
export const settle = writing(`
local keep, maxAge, expiry = nextNumber(), nextNumber(), nextArg()
local ids, answers, applies = load(nextArgs(nextNumber())), {}, {}

local function tidy(history)
  local entries, stale = call('HVALS', history), {}
  for i, entry in ipairs(entries) do
    local order, id, at = match(entry, '^(%d+) ([^ ]*) (%S+)')
    entries[i] = { order = tonumber(order), id = id, at = tonumber(at) }
  end
  table.sort(entries, function(a, b)
    return a.at > b.at or a.at == b.at and a.order > b.order
  end)
  for i, entry in ipairs(entries) do
    if keep and i > keep or maxAge and entry.at < now - maxAge then add(stale, entry.id) end
  end
  write('HDEL', history, stale)
end

local function append(history, entry, isLast)
  if isLast and expiry ~= '' then
    if call('SET', history, entry, 'NX', 'PX', expiry) then return end
  elseif isLast then
    if call('SET', history, entry, 'NX') then return end
  end
  if call('TYPE', history).ok == 'string' then
    local alone = call('GET', history)
    call('DEL', history)
    call('HSET', history, match(alone, ' ([^ ]*)'), alone)
  end
  call('HSETNX', history, match(entry, ' ([^ ]*)'), entry)
  if expiry ~= '' then call('PEXPIRE', history, expiry) end
  local size = call('HLEN', history)
  if size > 16 and counter % size < 16 then tidy(history) end
end

for i, id in ipairs(ids) do
  local token, revision, status = nextArg(), nextArg(), nextArg()
  local held, current, expiresAt, queue, group =
    match(records[id] or '', '^(%d+) (%d+) (%S+) %d+ [^ ]* ([^ ]*) ([^ ]*)')
  applies[i] = held == token and current == revision
  answers[i] = applies[i] and 'settled' or held == token and 'conflict' or 'lost'
  local isRepeated = not applies[i] and records[id] and fieldsOf(records[id])[settledIn] == token
  if isRepeated then answers[i] = 'settled' end
  if status ~= '' then
    local paused, runAt, body = nextArg(), nextArg(), nextArg()
    if applies[i] then
      local task = edit(id)
      task[tokenIn], task[expiresIn], task[deliveriesIn], task[ownerIn] = '', '', 0, ''
      task[revisionIn], task[settledIn] = number(), token
      task[statusIn], task[runIn], task[bodyIn] = status, runAt, body
      if paused ~= '' then task[pausedIn] = paused end
      put(id, task)
    end
  elseif applies[i] then
    drop(id, queue .. ' ' .. expiresAt, group)
  end
end
local sequence, last
for entry = 1, nextNumber() do
  local i, run = nextNumber(), nextArg()
  if i == last or not sequence then sequence = number() end
  last = i
  if applies[i] then append(KEYS[8 + entry], sequence .. ' ' .. run, not records[ids[i]]) end
end
while position < #ARGV do
  local i, isElsewhere, child = nextNumber(), nextArg(), nextArgs(5)
  if applies[i] and isElsewhere == '' then
    create(unpack(child))
  elseif applies[i] then
    local order = number()
    call('ZADD', outbox, order, order .. ' ' .. cjson.encode(child))
  end
end
commit()
return answers
`);

/** Gives the time, and the entries. */
export const history = reading(`
local history = KEYS[9]
if call('TYPE', history).ok == 'string' then return { text(now), { call('GET', history) } } end
return { text(now), call('HVALS', history) }
`);

/** Arguments: up to where the outbox has been delivered, or nothing. Gives what is to be delivered next. */
export const drain = reading(`
call('ZREMRANGEBYSCORE', outbox, '-inf', nextNumber() or 0)
return call('ZRANGE', outbox, 0, 99)
`);

/**
 * Arguments: the shard whose outbox this is from; of each task its number there, its id, and what `insert` takes after
 * that. What has been delivered before is passed over, though its task may be gone by now. A day later nobody is at it
 * any more.
 */
export const deliver = writing(`
local source = nextArg()
while position < #ARGV do
  local order, child = nextArg(), nextArgs(5)
  if call('ZADD', delivered, 'NX', order, source .. ':' .. order) == 1 then create(unpack(child)) end
end
call('ZREMRANGEBYSCORE', delivered, '-inf', (time[1] - 86400) * 1000000)
commit()
`);
