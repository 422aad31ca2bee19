local is_record = string.byte(head) == RECORD
local holder, ends, marked = '', 0, false
if #head >= VERSION then
  holder, ends = string.sub(head, TOKEN, LEASE - 1), struct.unpack('>I6', head, LEASE)
  marked = string.byte(head, VERSION - 1) % 2 == 1
end

-- The record, which is read as a whole only where it is needed.
local function whole()
  if #head < PEEK then
    return head
  end
  return redis.call('GET', KEYS[1])
end

-- The bytes of the last writer in this record, with the mark (1) or without (0).
local function writer(record, mark)
  local last = string.byte(record, VERSION - 1)
  return string.sub(record, LAST, VERSION - 2) .. string.char(last - last % 2 + mark)
end

-- The same record with the mark.
local function marked_value(record)
  return string.sub(record, 1, LAST - 1) .. writer(record, 1) .. string.sub(record, VERSION)
end

-- Whether this record was written under this token, of which the first 8 bytes are enough.
local function is_written_by(token, record)
  return #record >= VERSION - 1 and writer(record, 0) == writer(string.rep('\0', LAST - 1) .. token, 0)
end

-- Marks the record, for somebody who waits. It comes before the place in the queue, which is worth nothing without it.
local function mark()
  if not marked then
    redis.call('SETRANGE', KEYS[1], VERSION - 2, string.char(string.byte(head, VERSION - 1) + 1))
  end
end

local function set_lock(token, till, last)
  return redis.pcall('SETRANGE', KEYS[1], PART, token .. struct.pack('>I6', till) .. (last or ''))
end

-- Gives the lock to a token; returns whether that was possible, and if not, why.
local function grant(token, lease)
  local done = set_lock(token, math.min(now + lease, FOREVER))
  return type(done) == 'number', done
end

-- Gives the lock of this record to a token that has stood in the queue: others may stand there still.
local function pass(token, lease, record)
  return type(set_lock(token, math.min(now + lease, FOREVER), writer(record, 1))) == 'number'
end

-- Gives the lock of this record to nobody. Where the queue could be looked at, nobody stands there.
local function free(record)
  set_lock(string.rep('\0', LEASE - TOKEN), 0, KEYS[2] and writer(record or head, 0))
end

-- Why nothing can be done that needs the lock; nil if a record stands here and is locked with this token.
local function refusal(token)
  if not is_record then
    return no_record(head)
  end
  if holder ~= token or ends <= now then
    return { LOST, now }
  end
end

-- Writes what is there already: what waits for replicas waits for what was written last.
local function write_again()
  redis.call('SETRANGE', KEYS[1], 0, string.sub(head, 1, 1))
end
