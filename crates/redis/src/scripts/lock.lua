-- Takes the lock and reads the record.
-- KEYS: record, queue or nothing. ARGV: as for `take`.
-- include: codes, read_record, head

-- The usual case, before the functions for the others are defined: the lock is free, and the caller never had to wait.
if not ARGV[4] and #head >= VERSION and string.byte(head) == RECORD
  and string.sub(head, LEASE, LAST - 1) == '\0\0\0\0\0\0' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now <= tonumber(ARGV[3]) then
    local value = #head < PEEK and head or redis.call('GET', KEYS[1])
    redis.call('SETRANGE', KEYS[1], PART, ARGV[1] .. struct.pack('>I6', math.min(now + ARGV[2], FOREVER)))
    return { RECORD, now, value }
  end
end

-- include: reply, record, queue, take
if not is_record then
  return no_record(head)
end
if #head < VERSION then
  -- The record is damaged and has no room for a lock. The caller gets it as it is.
  return { RECORD, now, head }
end
if ends <= now then
  return take(whole())
end
if holder == token then
  -- The lock was handed over, and the message was lost.
  return take(whole(), 1)
end
-- The end of the record changes the reply as well.
local deadline = struct.unpack('>I6', head, 8)
return queue(math.max(math.min(ends, deadline) - now, 0))
