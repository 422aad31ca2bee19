-- Stores a new record that may have been stored already, and says that the key is taken only if something else stands
-- there.
-- KEYS: record. ARGV: value, last millisecond of its life or ''.
local value = redis.call('GET', KEYS[1])
if value == ARGV[1] then
  -- What waits for replicas waits for what was written last.
  redis.call('SETRANGE', KEYS[1], 0, string.sub(value, 1, 1))
elseif value then
  return { EXISTS, now }
elseif ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
end
return { RECORD, now }
