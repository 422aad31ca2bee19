-- Takes the record and its lock away. Where a tombstone or an alias stands, it stays, and the answer is where the session
-- has moved to, whether the alias still holds or not.
-- KEYS: record, queue or nothing. ARGV: '1' if the answer waits for replicas: what waits for them waits for what was
-- written last, so something is written in any case. It may have been another who has written what is found.
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
