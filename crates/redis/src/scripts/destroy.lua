#!lua flags=allow-oom
-- Removes the record and its lock. A tombstone or an alias stays, and the reply has the key to which the session has
-- moved, whether or not the alias is still valid.
-- KEYS: record, queue or nothing. ARGV: '1' if the caller waits for replicas: WAIT waits for the last write of its
-- connection, so there is a write in any case. The value that is found may be the write of another connection.
-- include: codes, read_header, head

-- The usual case, before the functions for the others are defined: there is a record, and the queue is empty.
if #head >= VERSION and string.byte(head) == RECORD and string.byte(head, VERSION - 1) % 2 == 0 then
  redis.call('DEL', KEYS[1])
  return RECORD
end

-- include: reply, record, queue
if string.byte(head) == ARRIVING then
  return no_record(head)
end
if head ~= '' and not is_record then
  if ARGV[1] == '1' then
    write_again()
  end
  return { ALIAS, now, string.sub(head, -32) }
end
local was = redis.call('DEL', KEYS[1])
if was == 0 and ARGV[1] == '1' then
  redis.call('SET', KEYS[1], '')
  redis.call('DEL', KEYS[1])
end
dissolve()
return { was, now }
