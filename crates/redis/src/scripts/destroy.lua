-- Takes the record and its lock away. Where a tombstone or an alias stands, it stays, and the answer is where the session
-- has moved to, whether the alias still holds or not.
-- KEYS: record, lock, queue.
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if kind ~= '' and string.byte(kind) ~= RECORD then
  return { ALIAS, now, redis.call('GETRANGE', KEYS[1], -32, -1) }
end
local was = redis.call('DEL', KEYS[1])
dissolve()
return { was, now }
