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

/** `meta`, `tasks` and `bodies` are hashes, the latter two by id; the others are sorted sets. */
export const keyNames = 'meta tasks bodies due listed grouped outbox delivered'.split(' ');

// Members of records and index entries are separated by spaces, and texts in them are escaped so that they have none.
// What is null or false is empty. A moment has 17 characters, which are in the order of time.
//
//   tasks    <token> <revision> <expiresAt> <deliveries> <owner>
//            <queue> <group> <name> <resumedAt> <paused> <settled> <status> <runAt>
//
// The body is apart, in `bodies`: it is not read or written where something else of the task changes.
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
local meta, tasks, bodies, due, listed, grouped, outbox, delivered = unpack(KEYS, 1, 8)
local call, add = redis.call, table.insert
local format, match, sub = string.format, string.match, string.sub
local time = call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local position = 2
local form = '^([^ ]*)' .. (' ([^ ]*)'):rep(12)
local tokenIn, revisionIn, expiresIn, deliveriesIn, ownerIn, queueIn, groupIn = 1, 2, 3, 4, 5, 6, 7
local resumedIn, pausedIn, settledIn, statusIn, runIn, bodyIn = 9, 10, 11, 12, 13, 14

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

local function text(number)
  return format('%d', number)
end

local function sortable(number)
  if number < 0 then return format('-%016.0f', 9e15 + number) end
  return format('%017.0f', number)
end

local function numberOf(moment)
  local number = tonumber(moment)
  return number < 0 and -9e15 - number or number
end

local function read(hash, ids)
  return #ids > 0 and call('HMGET', hash, unpack(ids)) or {}
end

local function fieldsOf(record)
  return { match(record, form) }
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
  local found = call('ZRANGEBYSCORE', listed, '(' .. from, to, 'WITHSCORES', 'LIMIT', 0, limit)
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

// Scripts change tasks in memory, each of them once; `commit` writes them, their index entries and the notifications,
// put together by their kind. So it is also made before a task is created in the place of one that was dropped. A server
// without memory refuses a script at its first write, or where that takes no memory not at all: never a part of it.
//
// Tokens, revisions and serials come from one counter, which is never behind the server's clock in microseconds: so
// it does not repeat itself when a server comes back without its last writes, or with none at all.
const unitOfWork = `
local counter
local records, dropped, wakes = {}, {}, {}
local saved, texts, gone, dueIn, dueOut, listedIn, groupedIn, groupedOut = {}, {}, {}, {}, {}, {}, {}, {}

local function push(list, first, second)
  local length = #list
  list[length + 1] = first
  list[length + 2] = second
end

local function number()
  if not counter then
    counter = math.max(tonumber(call('HGET', meta, 'counter') or 0), time[1] * 1000000 + time[2])
  end
  counter = counter + 1
  return text(counter)
end

local function load(ids)
  for i, record in ipairs(read(tasks, ids)) do records[ids[i]] = record end
  return ids
end

local function find(id)
  if records[id] == nil then load({ id }) end
  return records[id]
end

local function placeOf(task)
  if task[statusIn] ~= 'scheduled' or task[pausedIn] ~= '' then return nil end
  local at = task[expiresIn] ~= '' and task[expiresIn] or task[runIn]
  return at ~= '' and task[queueIn] .. ' ' .. at or nil
end

local function edit(id)
  if not find(id) then return nil end
  local task = fieldsOf(records[id])
  task.place, task.group = placeOf(task), task[groupIn]
  return task
end

local function editHeld(id, token)
  local task = edit(id)
  return task and task[tokenIn] == token and task
end

local function write(command, key, list)
  for i = 1, #list, 1000 do call(command, key, unpack(list, i, math.min(i + 999, #list))) end
end

local function commit()
  if counter then call('HSET', meta, 'counter', text(counter)) end
  write('HSET', tasks, saved)
  write('HSET', bodies, texts)
  write('HDEL', tasks, gone)
  write('HDEL', bodies, gone)
  write('ZREM', due, dueOut)
  write('ZADD', due, dueIn)
  write('ZREM', grouped, groupedOut)
  write('ZADD', grouped, groupedIn)
  write('ZREM', listed, gone)
  write('ZADD', listed, listedIn)
  local first = {}
  for place in pairs(wakes) do
    local queue, at = sub(place, 1, -19), numberOf(sub(place, -17))
    first[queue] = math.min(at, first[queue] or at)
  end
  for queue, at in pairs(first) do
    redis.pcall('PUBLISH', ARGV[2], sortable(at) .. ' ' .. queue)
  end
  saved, texts, gone, dueIn, dueOut, listedIn, groupedIn, groupedOut = {}, {}, {}, {}, {}, {}, {}, {}
  dropped, wakes = {}, {}
end

local function enter(id, place)
  push(dueIn, 0, place .. ' ' .. id)
  wakes[place] = true
end

local function create(id, rest, body, place, group)
  if find(id) then return 'exists' end
  if dropped[id] then commit() end
  local serial = number()
  records[id] = ' ' .. serial .. '  0  ' .. rest
  push(saved, id, records[id])
  push(texts, id, body)
  push(listedIn, serial, id)
  if place ~= '' then enter(id, place) end
  if group ~= '' then push(groupedIn, 0, group .. ' ' .. serial .. ' ' .. id) end
  return 'inserted'
end

local function drop(id, place, group)
  records[id], dropped[id] = false, true
  add(gone, id)
  if place then add(dueOut, place .. ' ' .. id) end
  if group ~= '' then
    add(groupedOut, group .. ' ' .. text(call('ZSCORE', listed, id)) .. ' ' .. id)
  end
end

local function put(id, task)
  local from, to = task.place, placeOf(task)
  if from ~= to then
    if from then add(dueOut, from .. ' ' .. id) end
    local isLater = from and to and sub(from, 1, -18) == sub(to, 1, -18)
      and numberOf(sub(from, -17)) <= numberOf(sub(to, -17))
    if isLater then push(dueIn, 0, to .. ' ' .. id) elseif to then enter(id, to) end
  end
  if task[groupIn] ~= task.group then
    local entry = ' ' .. text(call('ZSCORE', listed, id)) .. ' ' .. id
    if task.group ~= '' then add(groupedOut, task.group .. entry) end
    if task[groupIn] ~= '' then push(groupedIn, 0, task[groupIn] .. entry) end
  end
  records[id] = table.concat(task, ' ', 1, runIn)
  push(saved, id, records[id])
  if task[bodyIn] then push(texts, id, task[bodyIn]) end
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
