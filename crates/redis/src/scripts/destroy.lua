-- Takes the record and its lock away. A tombstone stays, and the session that moved away from here lives on.
-- KEYS: record, lock, queue.
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if kind ~= '' and string.byte(kind) ~= RECORD then
  return no_record(redis.call('GET', KEYS[1]))
end
local was = redis.call('DEL', KEYS[1])
dissolve()
return { was, now }
