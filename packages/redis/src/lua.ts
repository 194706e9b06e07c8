/**
 * What the scripts have in common, in Lua.
 *
 * Each script is given the keys of one shard, in the order of {@link keyNames}; `settle` and `history` two more for
 * each task whose history they touch. Its first two arguments are the time of an injected clock, or nothing, and the
 * channel for notifications. Numbers travel and are stored as decimal text: Lua's JSON would round beyond 14 digits.
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
export const keyNames = ['meta', 'tasks', 'bodies', 'due', 'order', 'groups', 'outbox'] as const;

// A script has to declare its keys before it can know in which queue or group a task is. So one index holds all
// queues, and one all groups. Their members have the score 0 and are ordered by their bytes:
//
//   due     <length of queue>:<queue>:<wakeAt>:<id>
//   groups  <length of group>:<group>:<serial>:<id>
//   order   <id>, with the serial as its score: the number that the task got when it was inserted
const common = `
local meta, tasks, bodies, due, order, groups, outbox = unpack(KEYS)
local call, format, decode = redis.call, string.format, cjson.decode
local time = call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local position = 2

local function nextArg()
  position = position + 1
  return ARGV[position]
end

local function restOfArgs(step)
  local list = {}
  for i = position + 1, #ARGV, step do list[#list + 1] = ARGV[i] end
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

local function prefixOf(label)
  return #label .. ':' .. label .. ':'
end

local function inBulk(command, key, list)
  for i = 1, #list, 1000 do
    call(command, key, unpack(list, i, math.min(i + 999, #list)))
  end
end

local function fetch(key, fields)
  local values = {}
  for i = 1, #fields, 1000 do
    local part = call('HMGET', key, unpack(fields, i, math.min(i + 999, #fields)))
    for k = 1, #part do values[i + k - 1] = part[k] end
  end
  return values
end

local function page(prefix, from, to, limit)
  if prefix == '' then
    return call('ZRANGEBYSCORE', order, '(' .. from, to, 'LIMIT', 0, limit)
  end
  local ids = {}
  local min, max = '[' .. prefix .. sortable(from) .. ';', '(' .. prefix .. sortable(to) .. ';'
  for i, entry in ipairs(call('ZRANGEBYLEX', groups, min, max, 'LIMIT', 0, limit)) do
    ids[i] = entry:sub(#prefix + 18)
  end
  return ids
end

local function dueEntries(prefix, limit)
  local max = '(' .. prefix .. sortable(now) .. ';'
  return call('ZRANGEBYLEX', due, '[' .. prefix, max, 'LIMIT', 0, limit)
end

local function firstEntries(queues)
  local entries = {}
  for i, queue in ipairs(queues) do
    local prefix = prefixOf(queue)
    local first = call('ZRANGEBYLEX', due, '[' .. prefix, '(' .. prefix .. ':', 'LIMIT', 0, 1)[1]
    entries[i] = first and first:match('^%-?%d+', #prefix + 1) or false
  end
  return entries
end
`;

// Scripts change tasks in memory (`load`, `put`, `create`); `commit` writes them, their index entries and the
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

local function entriesOf(id, task)
  local entries = { queue = task.queue, serial = task.serial }
  if task.status == 'scheduled' and not task.paused then
    entries.at = tonumber(task.expiresAt or task.runAt)
    entries.due = prefixOf(task.queue) .. sortable(entries.at) .. ':' .. id
  end
  if task.group then
    entries.group = prefixOf(task.group) .. sortable(task.serial) .. ':' .. id
  end
  return entries
end

local function load(ids)
  for i, envelope in ipairs(fetch(tasks, ids)) do
    local id = ids[i]
    if envelope and not held[id] then
      held[id] = decode(envelope)
      before[id] = entriesOf(id, held[id])
    end
  end
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
  if held[id] then return 'exists' end
  local task = decode(envelope)
  task.revision = number()
  task.serial = task.revision
  put(id, task, body)
  return 'inserted'
end

local function endLease(task)
  task.token, task.owner, task.expiresAt = nil, nil, nil
end

local function commit()
  local envelopes, gone, ordered, wake = {}, {}, {}, {}
  local entering, leaving = { due = {}, group = {} }, { due = {}, group = {} }
  for id in pairs(changed) do
    local task, old, new = held[id], before[id] or {}, {}
    if task then
      new = entriesOf(id, task)
      encoded[id] = cjson.encode(task)
      push(envelopes, id, encoded[id])
      if new.serial ~= old.serial then push(ordered, new.serial, id) end
      if new.at and (not old.at or new.at < old.at or new.queue ~= old.queue) then
        wake[new.queue] = math.min(new.at, wake[new.queue] or new.at)
      end
    else
      push(gone, id)
    end
    for _, index in ipairs({ 'due', 'group' }) do
      if new[index] ~= old[index] then
        push(leaving[index], old[index])
        if new[index] then push(entering[index], 0, new[index]) end
      end
    end
  end
  if counter then call('HSET', meta, 'counter', text(counter)) end
  inBulk('HSET', tasks, envelopes)
  inBulk('HSET', bodies, newBodies)
  inBulk('ZADD', order, ordered)
  inBulk('HDEL', tasks, gone)
  inBulk('HDEL', bodies, gone)
  inBulk('ZREM', order, gone)
  inBulk('ZREM', due, leaving.due)
  inBulk('ZREM', groups, leaving.group)
  inBulk('ZADD', due, entering.due)
  inBulk('ZADD', groups, entering.group)
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
