-- The lock of a session, which is a part of its record: the holder's token (16 bytes), the end of its lease in
-- milliseconds (6 bytes, none set if the lock is free), and the first 8 bytes of the token that committed last.
local PART, TOKEN, LEASE, LAST, VERSION, FOREVER = 19, 20, 36, 42, 50, 2 ^ 48 - 1

-- Long enough for the header of any record, for all of a mark, and for most records as a whole.
local PEEK = 1024
local head = redis.call('GETRANGE', KEYS[1], 0, PEEK - 1)
local is_record = string.byte(head) == RECORD
local holder, ends = '', 0
if #head >= VERSION then
  holder, ends = string.sub(head, TOKEN, LEASE - 1), struct.unpack('>I6', head, LEASE)
end

-- The record, which is read as a whole only where it is needed.
local function whole()
  if #head < PEEK then
    return head
  end
  return redis.call('GET', KEYS[1])
end

local function set_lock(token, till)
  return redis.pcall('SETRANGE', KEYS[1], PART, token .. struct.pack('>I6', till))
end

-- Gives the lock to a token; returns whether that was possible, and if not, why.
local function grant(token, lease)
  local done = set_lock(token, math.min(now + lease, FOREVER))
  return type(done) == 'number', done
end

local function free()
  set_lock(string.rep('\0', 16), 0)
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
