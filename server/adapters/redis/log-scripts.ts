/**
 * The log in Redis: its keys, and every change of it as one script, which Redis runs as one step.
 *
 * Of a deployment there are a stream (one entry per batch, with the id `<last seq>-0`; `-1` says that all up to there has
 * been closed, `-2` that the log has ended), a hash with the state, and while a segment is closed a lock. All carry the deployment as hash tag. The set
 * `unclosed` is the plane's: the logs of which something is due to be closed.
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** The state of a log behind a line: what a closed segment carries, and what a log is rebuilt from. */
export type LogState = {
  last: number;
  /** Per attempt: the highest batch. */
  batches: Record<string, number>;
  /** Bytes of builders' lines, which the limit counts. */
  counted: number;
  full: boolean;
  ended: boolean;
};

export const emptyState: LogState = { last: 0, batches: {}, counted: 0, full: false, ended: false };

export const unclosedKey = 'sphere:logs:unclosed';

export function keysOf(deployment: string) {
  const stream = `sphere:log:{${deployment}}`;
  return { stream, state: `${stream}:state`, lock: `${stream}:closing` };
}

/** Of a log that goes on: should its end never be said, Redis forgets it all the same. */
const openSeconds = 7 * 24 * 3600;
/** Of a log that has ended and is closed: long enough for every replica to have seen the end. */
const endedSeconds = 60;

/**
 * `adopt` takes the state behind the newest closed segment where Redis knows less: it was restarted empty, or a replica
 * of Redis that lacked the last writes has taken its place. The entries that it has are older, and in the segment.
 */
const adopt = `
local stream, state = KEYS[1], KEYS[2]
local function adopt(closed, epoch)
  if closed == '' then return end
  local known = cjson.decode(closed)
  if known.last <= tonumber(redis.call('HGET', state, 'last') or '-1') then return end
  redis.call('DEL', stream, state)
  local done = known.ended and 1 or 0
  redis.call('HSET', state, 'last', known.last, 'closed', known.last, 'counted', known.counted,
    'full', known.full and 1 or 0, 'ended', done, 'endClosed', done, 'open', 0, 'due', 0,
    'epoch', epoch, 'closedState', closed)
  for attempt, batch in pairs(known.batches) do
    redis.call('HSET', state, 'b:' .. attempt, batch, 'k:' .. attempt, batch)
  end
  redis.call('EXPIRE', state, known.ended and ${endedSeconds} or ${openSeconds})
end
local function add(last, lines, attempt, batch, bodies)
  redis.call('XADD', stream, string.format('%.0f-0', last + lines),
    'f', string.format('%.0f', last + 1), 'a', attempt, 'b', batch, 'l', bodies)
  redis.call('HSET', state, 'last', string.format('%.0f', last + lines))
  redis.call('EXPIRE', stream, ${openSeconds})
  redis.call('EXPIRE', state, ${openSeconds})
  return redis.call('HINCRBY', state, 'open', #bodies)
end
`;

const append = script<
  | ['missing']
  | ['ended']
  | ['gap', highest: number]
  | ['known', last: number, full: number, kept: number]
  | ['stored', last: number, kept: number, open: number]
  | ['full', last: number]
>(`${adopt}
adopt(ARGV[1], ARGV[2])
local attempt, batch, lines, bodies = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local was = redis.call('HMGET', state, 'last', 'counted', 'full', 'ended', 'b:' .. attempt, 'k:' .. attempt)
if not was[1] then return {'missing'} end
local last, highest, kept = tonumber(was[1]), tonumber(was[5] or '0'), tonumber(was[6] or '0')
if was[3] == '1' or batch <= highest then return {'known', last, tonumber(was[3]), kept} end
if batch ~= highest + 1 then return {'gap', highest} end
if was[4] == '1' then return {'ended'} end
if tonumber(was[2]) >= tonumber(ARGV[7]) then
  add(last, 1, '0', '1', ARGV[8])
  redis.call('HSET', state, 'full', 1)
  return {'full', last + 1}
end
local open = tonumber(redis.call('HGET', state, 'open'))
if lines > 0 then open = add(last, lines, attempt, batch, bodies) end
redis.call('HSET', state, 'b:' .. attempt, batch)
redis.call('HINCRBY', state, 'counted', #bodies)
return {'stored', last + lines, kept, open}
`);

/** Lines of the plane's own; without any, what there is becomes due all the same. `token` makes a repeat harmless. */
const appendOwn = script<['missing'] | ['ended'] | ['known'] | ['stored', last: number]>(`${adopt}
adopt(ARGV[1], ARGV[2])
local lines, bodies = tonumber(ARGV[3]), ARGV[4]
local was = redis.call('HMGET', state, 'last', 'ended', 'own')
if not was[1] then return {'missing'} end
if was[3] == ARGV[2] then return {'known'} end
if was[2] == '1' then return {'ended'} end
local last = tonumber(was[1])
if lines > 0 then add(last, lines, '0', '0', bodies) end
redis.call('HSET', state, 'own', ARGV[2], 'due', last + lines)
redis.call('SADD', KEYS[3], ARGV[5])
return {'stored', last + lines}
`);

const end = script<['missing'] | ['known' | 'stored', last: number]>(`${adopt}
adopt(ARGV[1], ARGV[2])
local was = redis.call('HMGET', state, 'last', 'ended')
if not was[1] then return {'missing'} end
local last = tonumber(was[1])
if was[2] == '1' then return {'known', last} end
redis.call('XADD', stream, string.format('%.0f-2', last), 'e', 1)
redis.call('EXPIRE', stream, ${openSeconds})
redis.call('HSET', state, 'ended', 1, 'due', last)
redis.call('SADD', KEYS[3], ARGV[3])
return {'stored', last}
`);

/** One entry of a stream as Redis answers it: its id, then names and values in turn. */
export type Entry = [id: string, values: string[]];

/** Entries from an id on until they have `maxBytes`, and whether these were all. */
const entries = `
local stream, state = KEYS[1], KEYS[2]
local function entries(from, maxBytes)
  local found, bytes = {}, 0
  while true do
    local page = redis.call('XRANGE', stream, from, '+', 'COUNT', 8)
    for _, entry in ipairs(page) do
      found[#found + 1] = entry
      if entry[2][1] == 'f' then bytes = bytes + #entry[2][8] end
      if bytes >= maxBytes then return found, 0 end
      from = '(' .. entry[1]
    end
    if #page < 8 then return found, 1 end
  end
end
`;

const read = script<
  | ['missing']
  | ['closed', last: number, ended: number]
  | ['open', last: number, ended: number, entries: Entry[]]
>(`${entries}
local was = redis.call('HMGET', state, 'last', 'ended', 'closed')
if not was[1] then return {'missing'} end
local after = tonumber(ARGV[1])
if after < tonumber(was[3]) then return {'closed', tonumber(was[1]), tonumber(was[2])} end
local found = entries(string.format('%.0f', after + 1), tonumber(ARGV[2]))
return {'open', tonumber(was[1]), tonumber(was[2]), found}
`);

/** What is to be closed next: entries behind the last closed segment, with the state before them. */
const openPart = script<
  | null
  | [
      epoch: string,
      closed: number,
      closedState: string,
      due: number,
      ended: number,
      endClosed: number,
      open: number,
      entries: Entry[],
      all: number,
    ]
>(`${entries}
local was = redis.call('HMGET', state, 'epoch', 'closed', 'closedState', 'due', 'ended', 'endClosed', 'open')
if not was[1] then return false end
local found, all = entries(string.format('%.0f', tonumber(was[2]) + 1), tonumber(ARGV[1]))
return {was[1], tonumber(was[2]), was[3], tonumber(was[4]), tonumber(was[5]), tonumber(was[6]), tonumber(was[7]), found, all}
`);

/** Takes note that a segment has been stored, when nobody else has done so and the log is still the same. */
const markClosed = script<number>(`
local stream, state = KEYS[1], KEYS[2]
local epoch, before, last, bytes, closedState, ended = unpack(ARGV, 1, 6)
local was = redis.call('HMGET', state, 'epoch', 'closed', 'last', 'ended')
if was[1] ~= epoch or was[2] ~= before then return 0 end
redis.call('HSET', state, 'closed', last, 'closedState', closedState)
-- The negative of 0 is -0 to Lua, which Redis does not take for a number.
redis.call('HINCRBY', state, 'open', 0 - tonumber(bytes))
for attempt, batch in pairs(cjson.decode(closedState).batches) do
  redis.call('HSET', state, 'k:' .. attempt, batch)
end
if ended == '1' then
  redis.call('HSET', state, 'endClosed', 1)
  redis.call('EXPIRE', state, ${endedSeconds})
  redis.call('EXPIRE', stream, ${endedSeconds})
else
  -- Who has not read the newest entry yet would not notice that it is gone.
  if was[3] == last and was[4] == '0' then redis.call('XADD', stream, last .. '-1', 'c', 1) end
  redis.call('XTRIM', stream, 'MINID', last .. '-1')
end
return 1
`);

/** Gives the lock back, unless something has become due meanwhile: 0, and the holder goes on. */
const release = script<number>(`
local state, lock, unclosed = KEYS[1], KEYS[2], KEYS[3]
if redis.call('GET', lock) ~= ARGV[1] then return 1 end
local was = redis.call('HMGET', state, 'due', 'closed', 'ended', 'endClosed')
local due = was[1] and (tonumber(was[1]) > tonumber(was[2]) or was[3] ~= was[4])
if due and ARGV[3] == '1' then return 0 end
redis.call('DEL', lock)
if ARGV[3] == '1' then redis.call('SREM', unclosed, ARGV[2])
else redis.call('SADD', unclosed, ARGV[2]) end
return 1
`);

export const logScripts = { append, appendOwn, end, read, openPart, markClosed, release };

/** A script that is sent by its digest, and whole when Redis does not know it yet. */
function script<Reply>(text: string) {
  const digest = createHash('sha1').update(text).digest('hex');
  return async (
    redis: Redis,
    keys: readonly string[],
    values: readonly (string | number)[],
  ): Promise<Reply> => {
    try {
      return (await redis.evalsha(digest, keys.length, ...keys, ...values)) as Reply;
    } catch (error) {
      // Redis says what kind an error is in its first word, and nowhere else.
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      return (await redis.eval(text, keys.length, ...keys, ...values)) as Reply;
    }
  };
}
