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
 * Arguments: how many tasks, their ids; then of each the record but for its revision, its place or nothing, and its
 * group or nothing.
 */
export const insert = writing(`
local ids, answers = nextArgs(nextNumber()), {}
loadInto(records, tasks, ids)
for i, id in ipairs(ids) do answers[i] = create(id, nextArg(), nextArg(), nextArg()) end
commit()
return answers
`);

/** Arguments: how many tasks, their ids. Gives the record and the lease of each. */
export const get = reading(`
local ids, answers = nextArgs(nextNumber()), {}
local found = inBulk('HMGET', leases, ids)
for i, record in ipairs(inBulk('HMGET', tasks, ids)) do answers[i] = { record, found[i] } end
return answers
`);

/**
 * Arguments: 1, id, revision; then how many members of the record change, and of each its number and what it becomes.
 */
export const update = writing(`
local _, id, revision = nextArg(), nextArg(), nextArg()
local record = find(id)
if not record then return { 'missing' } end
local fields = fieldsOf(record)
if fields[revisionIn] ~= revision then return { 'conflict' } end
fields[revisionIn] = number()
for _ = 1, nextNumber() do fields[nextNumber()] = nextArg() end
put(id, fields, held[id] and leaseFor(fields, leaseOf(id)))
commit()
return { 'updated' }
`);

/**
 * Arguments: group or nothing, the serial to go on after, the most tasks to find, the most to look at, whether they are
 * to be given rather than counted; how many conditions, and of each the number of the member of the record and its
 * value, with 0 for whether there is a live lease. Gives where to go on, or nothing at the end.
 */
export const list = reading(`
local group, from, limit, look, isWanted = nextArg(), nextArg(), nextNumber(), nextNumber(), nextArg()
local conditions = {}
for _ = 1, nextNumber() do conditions[nextNumber()] = nextArg() end
local ids, records, found, last = {}, {}, {}, from
local candidates, serials = page(group, from, ':', look)
local isMore = #candidates == look
local leasesOf = inBulk('HMGET', leases, candidates)
for i, record in ipairs(inBulk('HMGET', tasks, candidates)) do
  local fields, matches = record and fieldsOf(record), record
  local expiresAt = expiryOf(leasesOf[i])
  for key, value in pairs(conditions) do
    local is = fields and fields[key]
    if key == 0 then is = expiresAt and numberOf(expiresAt) > now and '1' or '' end
    if is ~= value then matches = false end
  end
  last = serials[i]
  if matches then
    add(ids, candidates[i])
    add(records, record)
    add(found, leasesOf[i])
    if #ids == limit then
      isMore = isMore or i < #candidates
      break
    end
  end
end
local next = isMore and last or ''
if isWanted == '' then return { next, #ids } end
return { next, ids, records, found }
`);

/** Arguments: group or nothing. Gives how many tasks there are. */
export const size = reading(`
local group = nextArg()
if group == '' then return call('ZCARD', listed) end
return call('ZLEXCOUNT', grouped, '[' .. group .. ' ', '(' .. group .. '!')
`);

/**
 * Arguments: `remove`, `pause` or `resume`; then how many tasks, their ids; or 0, a group or nothing, the serial to go
 * on after, the last that is meant (nothing at first) and the most tasks to look at. Gives, of each id, 1 if it
 * changed; or how many changed, where to go on and the last serial that is meant.
 */
export const change = writing(`
local action, named = nextArg(), nextNumber()
local ids, serials, to, isMore = {}, {}
if named > 0 then
  ids = nextArgs(named)
else
  local group, from, bound, limit = nextArg(), nextArg(), nextArg(), nextNumber()
  to = bound == '' and call('HGET', meta, 'counter') or bound
  if to ~= '' then ids, serials = page(group, from, to, limit) end
  isMore = #ids == limit
end
load(ids)
local answers, count, paused = {}, 0, action == 'pause' and '1' or ''
for i, id in ipairs(ids) do
  local fields = find(id) and fieldsOf(find(id))
  local changes = fields and (action == 'remove' or fields[pausedIn] ~= paused)
  answers[i] = changes and 1 or 0
  count = count + answers[i]
  if changes and action == 'remove' then
    drop(id, placeOf(fields, held[id]), fields[groupIn])
  elseif changes then
    fields[pausedIn] = paused
    if paused == '' then fields[resumedIn] = sortable(now) end
    put(id, fields, held[id])
  end
end
commit()
if named > 0 then return answers end
return { count, isMore and serials[#ids] or '', to }
`);

/**
 * Arguments: the most tasks to take, owner, duration of the lease, how many queues, queues. Gives the time, the first
 * moments of the queues, the token and the end of the leases; of the tasks, the ids and records; of those whose lease
 * had run out, or that had been given back, the position and the lease that they had.
 */
export const claim = writing(`
local limit, owner, expiresAt = nextNumber(), nextArg(), sortable(now + nextArg())
local queues = nextArgs(nextNumber())
local ids, taken, before, ranges, token = {}, {}, {}, {}, ''
for _, queue in ipairs(queues) do
  local entries = limit > #ids and dueEntries(queue, limit - #ids) or {}
  if #entries > 0 then
    push(ranges, entries[1], entries[#entries])
    token = token == '' and number() or token
    local start, place = #queue + 20, ' ' .. queue .. ' ' .. expiresAt .. ' '
    local entryStart = sub(place, 2)
    for i, entry in ipairs(entries) do entries[i] = sub(entry, start) end
    load(entries)
    for _, id in ipairs(entries) do
      local record, deliveries = records[id], 0
      if record then
        local revision, group = match(record, '^(%d+) [^ ]* ([^ ]*)')
        if held[id] then
          deliveries = match(held[id], '^%d* %d+ [^ ]* [^ ]* (%d+)')
          push(before, #ids, held[id])
        end
        add(ids, id)
        add(taken, record)
        push(leased, id, token .. ' ' .. revision .. place .. deliveries + 1 .. ' ' .. group .. ' ' .. owner)
        push(dueIn, 0, entryStart .. id)
      end
    end
  end
end
commit()
for i = 1, #ranges, 2 do
  call('ZREMRANGEBYLEX', due, '[' .. ranges[i], '[' .. ranges[i + 1])
end
return { text(now), firstMoments(queues), token, expiresAt, ids, taken, before }
`);

/** What a claim would take. Arguments: the most tasks, queues. Gives the moments that are due, by queue. */
export const peek = reading(`
local limit, queues, moments = nextArg(), {}, {}
for i = position + 1, #ARGV do queues[#queues + 1] = ARGV[i] end
for i, queue in ipairs(queues) do
  moments[i] = dueEntries(queue, limit)
  for k, entry in ipairs(moments[i]) do moments[i][k] = sub(entry, #queue + 2, #queue + 18) end
end
return { text(now), firstMoments(queues), moments, call('ZCARD', outbox) }
`);

/**
 * Arguments: duration of the leases, how many tasks, their ids; then the token of each. Gives the revisions, or nothing
 * where the lease is lost.
 */
export const extend = writing(`
local expiresAt, answers = sortable(now + nextArg()), {}
local ids = nextArgs(nextNumber())
load(ids)
for i, id in ipairs(ids) do
  local token, _, deliveries, owner = leaseOf(id)
  local isHeld = token == nextArg()
  local fields = isHeld and fieldsOf(records[id])
  answers[i] = isHeld and fields[revisionIn] or ''
  if isHeld then put(id, fields, leaseFor(fields, token, expiresAt, deliveries, owner)) end
end
commit()
return answers
`);

/** Arguments: how many tasks, their ids; then of each the token, and the moment to defer to or nothing. */
export const release = writing(`
local ids, answers = nextArgs(nextNumber()), {}
load(ids)
for i, id in ipairs(ids) do
  local token, _, deliveries, owner = leaseOf(id)
  local isHeld, deferUntil = token == nextArg(), nextArg()
  answers[i] = isHeld and 'released' or 'lost'
  if isHeld then
    local fields = fieldsOf(records[id])
    local isEarlier = deferUntil ~= '' and fields[runIn] ~= ''
      and numberOf(fields[runIn]) < numberOf(deferUntil)
    if isEarlier then fields[runIn] = deferUntil end
    put(id, fields, deliveries ~= '1' and leaseFor(fields, '', '', deliveries - 1, owner))
  end
end
commit()
return answers
`);

// The history of a task is a hash of `<number> <id> <moment> <body>` by the id of the entry. One entry alone is a string
// of the same: that takes half the time and less memory, and most tasks that end have no other.
const histories = `
local function entriesIn(history)
  if call('TYPE', history).ok ~= 'string' then return call('HVALS', history) end
  return { call('GET', history) }
end
`;

/**
 * Arguments: the most entries to keep and the age of the oldest, or nothing for either; how long idle histories stay,
 * or nothing; whether any of the tasks stays; how many settlements, and the ids of their tasks. Then of each: token and
 * revision, each with a space after it, and its shape, which is nothing for the mere removal of the task, or else four
 * numbers: whether the task stays, how many entries, how many tasks to insert here, and how many for other shards. What
 * follows is as many times what is there: whether the task is to be paused, its status, when it runs, body; of each
 * entry id, moment and body in one; of each task here what `insert` takes, after the id; of each for another shard JSON.
 * The keys of the histories are in the order of the entries.
 */
export const settle = writing(`${histories}
local keep, maxAge, expiry, isAnyKept = nextNumber(), nextNumber(), nextArg(), nextArg() ~= ''
local ids, answers, shapes, key = nextArgs(nextNumber()), {}, { [''] = {} }, 8
local sequence

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
  inBulk('HDEL', history, stale)
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

local function refusal(id, token)
  local record = find(id)
  if record and fieldsOf(record)[settledIn] == token then return 'settled' end
  return leaseOf(id) == token and 'conflict' or 'lost'
end

if isAnyKept then load(ids) else loadInto(held, leases, ids) end
for i, id in ipairs(ids) do
  local head, shape = nextArg(), nextArg()
  local lease = held[id]
  local applies = lease and sub(lease, 1, #head) == head
  answers[i] = applies and 'settled' or refusal(id, match(head, '^[^ ]*'))
  local counts = shapes[shape] or { match(shape, '(%d+) (%d+) (%d+) (%d+)') }
  shapes[shape] = counts
  local isKept, entries, here, elsewhere = counts[1] == '1', counts[2], counts[3], counts[4]
  if isKept then
    local paused, status, runAt, body = nextArg(), nextArg(), nextArg(), nextArg()
    if applies then
      local fields = fieldsOf(find(id))
      fields[revisionIn], fields[settledIn] = number(), match(head, '^[^ ]*')
      fields[statusIn], fields[runIn], fields[bodyIn] = status, runAt, body
      if paused ~= '' then fields[pausedIn] = paused end
      put(id, fields, false)
    end
  elseif applies then
    drop(id, match(lease, '^%d+ %d+ ([^ ]* [^ ]*) %d+ ([^ ]*)'))
  end
  for entry = 1, entries or 0 do
    key = key + 1
    if entry > 1 or not sequence then sequence = number() end
    local run = nextArg()
    if applies then append(KEYS[key], sequence .. ' ' .. run, not isKept) end
  end
  for _ = 1, here or 0 do
    local child, rest, place, group = nextArg(), nextArg(), nextArg(), nextArg()
    if applies then create(child, rest, place, group) end
  end
  for _ = 1, elsewhere or 0 do
    local task = nextArg()
    if applies then
      local order = number()
      call('ZADD', outbox, order, order .. ' ' .. task)
    end
  end
end
commit()
return answers
`);

/** Gives the time, and the entries. */
export const history = reading(`${histories}
return { text(now), entriesIn(KEYS[9]) }
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
  local order, id, rest, place, group = nextArg(), nextArg(), nextArg(), nextArg(), nextArg()
  if call('ZADD', delivered, 'NX', order, source .. ':' .. order) == 1 then
    create(id, rest, place, group)
  end
end
call('ZREMRANGEBYSCORE', delivered, '-inf', (time[1] - 86400) * 1000000)
commit()
`);
