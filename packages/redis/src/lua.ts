/**
 * What the scripts have in common, in Lua.
 *
 * A script is given the keys of one shard, in the order of {@link keyNames}; those that touch histories, the keys of
 * these as well. Its first two arguments are the time of an injected clock, or nothing, and the channel for
 * notifications. Numbers travel and are stored as decimal text.
 *
 * @module
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly source: string;
  /** By which the server knows it once it has seen it. */
  readonly sha: string;
}

/** `meta`, `tasks` and `leases` are hashes, the latter two by id; the others are sorted sets. */
export const keyNames = 'meta tasks leases due listed grouped outbox delivered'.split(' ');

// Members of records and index entries are separated by spaces, and texts in them are escaped so that they have none.
// What is null or false is empty. A moment has 17 characters, which are in the order of time.
//
//   tasks    <revision> <queue> <group> <name> <resumedAt> <paused> <settled> <status> <runAt> <body>
//   leases   <token> <revision> <queue> <expiresAt> <deliveries> <group> <owner>
//
// A lease repeats of its task what is needed to settle and remove it, which is then not read. A task that was given
// back, and delivered more than once, has a lease without token and end.
//
// A script has to declare its keys before it can know in which queue or group a task is. So one index holds all
// queues, and another all groups. Their members have the score 0 and are ordered by their bytes:
//
//   due      <queue> <wakeAt> <id>
//   grouped  <group> <serial> <id>
//
// A serial is the number that the task got when it was inserted, of 16 digits, and its score in `listed`. The first
// two words of an entry of `due` are the place of the task.
const common = `
local meta, tasks, leases, due, listed, grouped, outbox, delivered = unpack(KEYS, 1, 8)
local call, format, match, sub = redis.call, string.format, string.match, string.sub
local time = call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local position = 2
local revisionIn, queueIn, groupIn, resumedIn, pausedIn, settledIn, statusIn, runIn, bodyIn =
  1, 2, 3, 5, 6, 7, 8, 9, 10

local function nextArg()
  position = position + 1
  return ARGV[position]
end

local function nextNumber()
  return tonumber(nextArg())
end

local function nextArgs(count)
  position = position + count
  return { unpack(ARGV, position - count + 1, position) }
end

local function add(list, value)
  list[#list + 1] = value
end

local function push(list, first, second)
  local length = #list
  list[length + 1] = first
  list[length + 2] = second
end

local function text(number)
  return format('%.0f', number)
end

local function sortable(number)
  if number < 0 then return format('-%016.0f', 9e15 + number) end
  return format('%017.0f', number)
end

local function numberOf(moment)
  local number = tonumber(moment)
  return sub(moment, 1, 1) == '-' and -9e15 - number or number
end

local function inBulk(command, key, list)
  local values = {}
  for i = 1, #list, 1000 do
    local reply = call(command, key, unpack(list, i, math.min(i + 999, #list)))
    if #list <= 1000 then return reply end
    if type(reply) == 'table' then
      for _, value in ipairs(reply) do add(values, value) end
    end
  end
  return values
end

local function fieldsOf(record)
  return { match(record, '^(%d+)' .. (' ([^ ]*)'):rep(8) .. ' (.*)$') }
end

local function expiryOf(lease)
  return match(lease or '', '^%d+ %d+ [^ ]* (%S+)')
end

local function search(index, prefix, min, max, limit)
  return call('ZRANGEBYLEX', index, '[' .. prefix .. min, '(' .. prefix .. max, 'LIMIT', 0, limit)
end

local function page(group, from, to, limit)
  local ids, serials = {}, {}
  if group ~= '' then
    for i, entry in ipairs(search(grouped, group .. ' ', from .. '!', to .. '!', limit)) do
      serials[i], ids[i] = match(entry, '^(%d+) (.*)$', #group + 2)
    end
    return ids, serials
  end
  local max = to == ':' and '+inf' or to
  local found = call('ZRANGEBYSCORE', listed, '(' .. from, max, 'WITHSCORES', 'LIMIT', 0, limit)
  for i = 1, #found, 2 do
    add(ids, found[i])
    add(serials, text(found[i + 1]))
  end
  return ids, serials
end

local function dueEntries(queue, limit)
  return search(due, queue .. ' ', '', sortable(now) .. '!', limit)
end

local function firstMoments(queues)
  local moments = {}
  for i, queue in ipairs(queues) do
    local first = search(due, queue .. ' ', '', ':', 1)[1]
    moments[i] = first and sub(first, #queue + 2, #queue + 18) or false
  end
  return moments
end
`;

// Scripts change tasks in memory; `commit` writes them, their index entries and the notifications, put together by
// their kind. So it is also made before a task is changed a second time. A server without memory refuses a script at its
// first write, or where that takes no memory not at all: never a part of it.
//
// Tokens, revisions and serials come from one counter, which is never behind the server's clock in microseconds: so
// it does not repeat itself when a server comes back without its last writes, or with none at all.
const unitOfWork = `
local counter
local records, held, touched, wakes = {}, {}, {}, {}
local saved, leased, freed, gone = {}, {}, {}, {}
local dueIn, dueOut, listedIn, groupedIn, groupedOut = {}, {}, {}, {}, {}

local function number()
  if not counter then
    counter = math.max(tonumber(call('HGET', meta, 'counter') or 0), time[1] * 1000000 + time[2])
  end
  counter = counter + 1
  return text(counter)
end

local function loadInto(cache, key, ids)
  for i, value in ipairs(inBulk('HMGET', key, ids)) do cache[ids[i]] = value end
end

local function load(ids)
  loadInto(records, tasks, ids)
  loadInto(held, leases, ids)
end

local function find(id)
  if records[id] == nil then load({ id }) end
  return records[id]
end

local function leaseOf(id)
  return match(held[id] or '', '^(%d*) %d+ [^ ]* ([^ ]*) (%d+) [^ ]* (.*)$')
end

local function leaseFor(fields, token, expiresAt, deliveries, owner)
  local place = fields[queueIn] .. ' ' .. expiresAt
  return token .. ' ' .. fields[revisionIn] .. ' ' .. place .. ' ' .. deliveries .. ' '
    .. fields[groupIn] .. ' ' .. owner
end

local function placeOf(fields, lease)
  if fields[statusIn] ~= 'scheduled' or fields[pausedIn] ~= '' then return nil end
  local at = expiryOf(lease) or fields[runIn]
  return at ~= '' and fields[queueIn] .. ' ' .. at or nil
end

local function write(command, key, list)
  inBulk(command, key, list)
  for i = #list, 1, -1 do list[i] = nil end
end

local function commit()
  if counter then call('HSET', meta, 'counter', text(counter)) end
  write('HSET', tasks, saved)
  write('HSET', leases, leased)
  inBulk('HDEL', tasks, gone)
  inBulk('HDEL', leases, gone)
  write('HDEL', leases, freed)
  write('ZREM', due, dueOut)
  write('ZADD', due, dueIn)
  write('ZREM', grouped, groupedOut)
  write('ZADD', grouped, groupedIn)
  write('ZREM', listed, gone)
  write('ZADD', listed, listedIn)
  local first = {}
  for place in pairs(wakes) do
    local queue, at = sub(place, 1, -19), sub(place, -17)
    if not first[queue] or numberOf(at) < numberOf(first[queue]) then first[queue] = at end
  end
  for queue, at in pairs(first) do redis.pcall('PUBLISH', ARGV[2], at .. ' ' .. queue) end
  touched, wakes = {}, {}
end

local function touch(id)
  if touched[id] then commit() end
  touched[id] = true
end

local function enter(id, place)
  push(dueIn, 0, place .. ' ' .. id)
  wakes[place] = true
end

local function create(id, rest, place, group)
  if find(id) then return 'exists' end
  touch(id)
  local serial = number()
  records[id] = serial .. ' ' .. rest
  push(saved, id, records[id])
  push(listedIn, serial, id)
  if place ~= '' then enter(id, place) end
  if group ~= '' then push(groupedIn, 0, group .. ' ' .. serial .. ' ' .. id) end
  return 'inserted'
end

local function drop(id, place, group)
  touch(id)
  records[id], held[id] = false, false
  add(gone, id)
  if place then add(dueOut, place .. ' ' .. id) end
  if group ~= '' then
    add(groupedOut, group .. ' ' .. text(call('ZSCORE', listed, id)) .. ' ' .. id)
  end
end

local function put(id, fields, lease)
  touch(id)
  local old = fieldsOf(records[id])
  local from, to = placeOf(old, held[id]), placeOf(fields, lease)
  if from ~= to then
    if from then add(dueOut, from .. ' ' .. id) end
    local isLater = from and to and sub(from, 1, -18) == sub(to, 1, -18)
      and numberOf(sub(from, -17)) <= numberOf(sub(to, -17))
    if isLater then push(dueIn, 0, to .. ' ' .. id) elseif to then enter(id, to) end
  end
  if fields[groupIn] ~= old[groupIn] then
    local entry = ' ' .. text(call('ZSCORE', listed, id)) .. ' ' .. id
    if old[groupIn] ~= '' then add(groupedOut, old[groupIn] .. entry) end
    if fields[groupIn] ~= '' then push(groupedIn, 0, fields[groupIn] .. entry) end
  end
  local record = table.concat(fields, ' ')
  if record ~= records[id] then push(saved, id, record) end
  if lease and lease ~= held[id] then push(leased, id, lease) end
  if held[id] and not lease then add(freed, id) end
  records[id], held[id] = record, lease
end
`;

/** A script that changes no tasks. */
export function reading(body: string): Script {
  const source = common + body;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** A script that changes tasks. */
export function writing(body: string): Script {
  return reading(unitOfWork + body);
}
