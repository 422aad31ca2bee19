-- Stores a new record, and says that the key is taken if anything stands there. What may have been done is done if it is
-- this very record that stands there.
-- KEYS: record. ARGV: value, last millisecond of its life or '', the last moment at which it is wanted, '1' if this may
-- have been done.

-- Its session may have ended since.
if now > tonumber(ARGV[3]) then
  return { LATE, now }
end
local stored
if ARGV[2] == '' then
  stored = redis.call('SET', KEYS[1], ARGV[1], 'NX')
else
  stored = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', ARGV[2])
end
if not stored then
  if ARGV[4] ~= '1' or redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return { EXISTS, now }
  end
  -- A write that waits for replicas waits for what was written last.
  redis.call('SETRANGE', KEYS[1], 0, string.sub(ARGV[1], 1, 1))
end
return { RECORD, now }
