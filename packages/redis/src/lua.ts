/**
 * What the scripts have in common, in Lua.
 *
 * A script is given the keys of one shard, in the order of {@link keyNames}; those that touch histories, the keys of
 * these as well. Its first two arguments are the time of an injected clock, or nothing, and the channel for
 * notifications. Numbers travel and are stored as decimal text: Lua's JSON would round beyond 14 digits.
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
export const keyNames = 'meta tasks bodies due listed outbox delivered'.split(' ');

// A script has to declare its keys before it can know in which queue or group a task is. So one index holds all
// queues, and another all groups. Their members have the score 0 and are ordered by their bytes:
//
//   due     <length of queue>:<queue>:<wakeAt>:<id>
//   listed  <length of group>:<group>:<serial>:<id> and, of every task, :<serial>:<id>
//
// A serial is the number that the task got when it was inserted, of 16 digits.
const common = `
local meta, tasks, bodies, due, listed, outbox, delivered = unpack(KEYS, 1, 7)
local call, format, decode = redis.call, string.format, cjson.decode
local time = call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local position = 2

local function nextArg()
  position = position + 1
  return ARGV[position]
end

local function nextNumber()
  return tonumber(nextArg())
end

local function restOfArgs()
  local list = {}
  for i = position + 1, #ARGV do list[#list + 1] = ARGV[i] end
  return list
end

local function push(list, first, second)
  list[#list + 1] = first
  list[#list + 1] = second
end

local function text(number)
  return format('%.0f', number)
end

local function sortable(number)
  number = tonumber(number)
  if number < 0 then return format('-%016.0f', 9e15 + number) end
  return format('%016.0f', number)
end

local function inBulk(command, key, list)
  local values = {}
  for i = 1, #list, 1000 do
    local reply = call(command, key, unpack(list, i, math.min(i + 999, #list)))
    if type(reply) == 'table' then
      for _, value in ipairs(reply) do push(values, value) end
    end
  end
  return values
end

local prefixes = {}
local function prefixOf(label)
  prefixes[label] = prefixes[label] or #label .. ':' .. label .. ':'
  return prefixes[label]
end

local function parse(entry, prefix)
  local number = entry:match('^[-0-9]+', #prefix + 1)
  return number, entry:sub(#prefix + #number + 2)
end

local function search(index, prefix, min, max, limit)
  return call('ZRANGEBYLEX', index, '[' .. prefix .. min, '(' .. prefix .. max, 'LIMIT', 0, limit)
end

local function page(prefix, from, to, limit)
  local ids = search(listed, prefix, from .. ';', to .. ';', limit)
  for i, entry in ipairs(ids) do
    local _, id = parse(entry, prefix)
    ids[i] = id
  end
  return ids
end

local function dueEntries(prefix, limit)
  return search(due, prefix, '', sortable(now) .. ';', limit)
end

local function firstMoments(queues)
  local moments = {}
  for i, queue in ipairs(queues) do
    local prefix = prefixOf(queue)
    local first = search(due, prefix, '', ':', 1)[1]
    moments[i] = first and parse(first, prefix) or false
  end
  return moments
end
`;

// Scripts change tasks in memory (`find`, `put`, `create`); `commit` writes them, their index entries and the
// notifications. It begins with a hash, because a server without memory refuses the first such write or none.
//
// Tokens, revisions and serials come from one counter, which is never behind the server's clock in microseconds: so
// it does not repeat itself when a server comes back without its last writes, or with none at all.
const unitOfWork = `
local counter
local held, before, changed, newBodies, encoded = {}, {}, {}, {}, {}

local function number()
  if not counter then
    counter = math.max(tonumber(call('HGET', meta, 'counter') or 0), time[1] * 1000000 + time[2])
  end
  counter = counter + 1
  return text(counter)
end

local function wakeAtOf(task)
  if task.status ~= 'scheduled' or task.paused then return nil end
  return tonumber(task.expiresAt or task.runAt)
end

local function find(id, entry)
  if held[id] == nil then
    local envelope = call('HGET', tasks, id)
    local task = envelope and decode(envelope)
    held[id] = task
    before[id] = task and {
      at = wakeAtOf(task), queue = task.queue, entry = entry,
      group = task.group, serial = task.serial,
    }
  end
  return held[id]
end

local function put(id, task, body)
  held[id] = task
  changed[id] = true
  if body then push(newBodies, id, body) end
end

local function merge(task, change)
  for key, value in pairs(decode(change)) do
    if value == cjson.null then task[key] = nil else task[key] = value end
  end
end

local function create(id, envelope, body)
  if find(id) then return 'exists' end
  local task = decode(envelope)
  task.revision = number()
  task.serial = task.revision
  put(id, task, body)
  return 'inserted'
end

local function endLease(task)
  task.token, task.owner, task.expiresAt = nil, nil, nil
end

local function dueEntry(task, at, id)
  return prefixOf(task.queue) .. sortable(at) .. ':' .. id
end

local function listedEntry(prefix, task, id)
  return prefix .. task.serial .. ':' .. id
end

local function commit()
  local envelopes, gone, wake = {}, {}, {}
  local dueIn, dueOut, listedIn, listedOut = {}, {}, {}, {}
  for id in pairs(changed) do
    local task, old = held[id] or {}, before[id] or {}
    local at = wakeAtOf(task)
    if held[id] then
      encoded[id] = cjson.encode(task)
      push(envelopes, id, encoded[id])
    else
      push(gone, id)
    end
    if at ~= old.at or task.queue ~= old.queue then
      if old.at then push(dueOut, old.entry or dueEntry(old, old.at, id)) end
      if at then push(dueIn, 0, dueEntry(task, at, id)) end
      if at and not (old.at and old.at <= at and old.queue == task.queue) then
        wake[task.queue] = math.min(at, wake[task.queue] or at)
      end
    end
    local isOther = task.serial ~= old.serial
    if isOther and old.serial then push(listedOut, listedEntry(':', old, id)) end
    if isOther and task.serial then push(listedIn, 0, listedEntry(':', task, id)) end
    if isOther or task.group ~= old.group then
      if old.group then push(listedOut, listedEntry(prefixOf(old.group), old, id)) end
      if task.group then push(listedIn, 0, listedEntry(prefixOf(task.group), task, id)) end
    end
  end
  if counter then call('HSET', meta, 'counter', text(counter)) end
  inBulk('HSET', tasks, envelopes)
  inBulk('HSET', bodies, newBodies)
  inBulk('HDEL', tasks, gone)
  inBulk('HDEL', bodies, gone)
  inBulk('ZREM', due, dueOut)
  inBulk('ZADD', due, dueIn)
  inBulk('ZREM', listed, listedOut)
  inBulk('ZADD', listed, listedIn)
  for queue, at in pairs(wake) do
    redis.pcall('PUBLISH', ARGV[2], text(at) .. ' ' .. queue)
  end
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
