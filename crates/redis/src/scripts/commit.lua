-- Replaces the record and releases the lock.
-- KEYS: record, queue or nothing. ARGV: token, value, last millisecond of its life or '', '1' for a retry, the last
-- moment at which the caller waits for the reply.
-- include: codes, read_header, head, write

-- The usual case, before the functions for the others are defined: the lock is held, the queue is empty, and the lease
-- does not end before the caller gives up. The time is not needed then.
if #head >= VERSION and string.sub(head, TOKEN, LEASE - 1) == ARGV[1] and string.byte(head) == RECORD
  and string.byte(head, VERSION - 1) % 2 == 0 and struct.unpack('>I6', head, LEASE) > tonumber(ARGV[5]) then
  write(ARGV[2], ARGV[3])
  return RECORD
end

-- include: reply, record, queue
local refused = refusal(ARGV[1])
if refused then
  if ARGV[4] == '1' and refused[1] == LOST and is_written_by(ARGV[1], head) then
    write_again()
    return { RECORD, now }
  end
  return refused
end

if ARGV[3] ~= '' and tonumber(ARGV[3]) < now then
  redis.call('DEL', KEYS[1])
  dissolve()
  return { RECORD, now }
end
-- In the value that was sent, the lock is free and the waiters mark is not set. If the queue cannot be read, the mark
-- is kept.
local value = ARGV[2]
if marked and not KEYS[2] then
  value = marked_value(value)
end
write(value, ARGV[3])
if marked then
  hand_over(ARGV[1], value, true)
end
return { RECORD, now }
