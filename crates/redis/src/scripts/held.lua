-- Goes on only where a record stands and its lock is held with this token.
-- KEYS: record, lock. ARGV: token.
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if string.byte(kind) ~= RECORD then
  return no_record(redis.call('GET', KEYS[1]))
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end
