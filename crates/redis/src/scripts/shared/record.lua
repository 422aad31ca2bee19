-- Parses the head of the record, and defines functions that read and change its lock.
local is_record = string.byte(head) == RECORD
local holder, ends, marked = '', 0, false
if #head >= VERSION then
  holder, ends = string.sub(head, TOKEN, LEASE - 1), struct.unpack('>I6', head, LEASE)
  marked = string.byte(head, VERSION - 1) % 2 == 1
end

-- Returns the whole record. It is read only where it is needed.
local function whole()
  if #head < PEEK then
    return head
  end
  return redis.call('GET', KEYS[1])
end

-- Returns the last-writer bytes of this record, with the waiters mark (1) or without it (0).
local function writer(record, mark)
  local last = string.byte(record, VERSION - 1)
  return string.sub(record, LAST, VERSION - 2) .. string.char(last - last % 2 + mark)
end

-- Returns this record with the waiters mark.
local function marked_value(record)
  return string.sub(record, 1, LAST - 1) .. writer(record, 1) .. string.sub(record, VERSION)
end

-- Returns whether this record was written under this token. The first 8 bytes of the token are enough.
local function is_written_by(token, record)
  return #record >= VERSION - 1 and writer(record, 0) == writer(string.rep('\0', LAST - 1) .. token, 0)
end

-- Sets the waiters mark of the record. It is set before the entry joins the queue, which is not looked at without it.
local function mark()
  if not marked then
    redis.call('SETRANGE', KEYS[1], VERSION - 2, string.char(string.byte(head, VERSION - 1) + 1))
  end
end

local function set_lock(token, till, last)
  return redis.pcall('SETRANGE', KEYS[1], PART, token .. struct.pack('>I6', till) .. (last or ''))
end

-- Gives the lock to a token. Returns whether that succeeded, and the error otherwise.
local function grant(token, lease)
  local done = set_lock(token, math.min(now + lease, FOREVER))
  return type(done) == 'number', done
end

-- Gives the lock of this record to a token from the queue. The mark is kept, because the queue may have more entries.
local function pass(token, lease, record)
  return type(set_lock(token, math.min(now + lease, FOREVER), writer(record, 1))) == 'number'
end

-- Frees the lock of this record. The mark is removed if the queue could be read, because it was found empty then.
local function free(record)
  set_lock(string.rep('\0', LEASE - TOKEN), 0, KEYS[2] and writer(record or head, 0))
end

-- Returns the reply that refuses an operation under the lock; nil if the key has a record that this token has locked.
local function refusal(token)
  if not is_record then
    return no_record(head)
  end
  if holder ~= token or ends <= now then
    return { LOST, now }
  end
end

-- Rewrites the first byte with itself. WAIT waits for the last write of its connection, so a retry has to write.
local function write_again()
  redis.call('SETRANGE', KEYS[1], 0, string.sub(head, 1, 1))
end
