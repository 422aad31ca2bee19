#!lua flags=allow-oom
-- Releases the lock of a session, and removes the entry from the queue.
-- KEYS: record, queue or nothing. ARGV: token, '1' if the token may be in the queue.
-- include: codes, read_header, head

-- The usual case, before the functions for the others are defined: the lock is held, and the queue is empty.
if ARGV[2] == '' and #head >= VERSION and string.sub(head, TOKEN, LEASE - 1) == ARGV[1] and string.byte(head) == RECORD
  and string.byte(head, VERSION - 1) % 2 == 0 then
  redis.call('SETRANGE', KEYS[1], PART, string.rep('\0', LAST - TOKEN))
  return RECORD
end

-- include: reply, record, queue, release
