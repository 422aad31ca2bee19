-- Stores a new record, and reports that the key is taken if it has any value. A retry succeeds if the value is this
-- record.
-- KEYS: record. ARGV: value, last millisecond of its life or '', the last moment at which the request is valid, '1'
-- for a retry.
-- include: codes, reply

-- A late request might recreate a session that has ended since.
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
  -- WAIT waits for the last write of its connection, so a retry has to write.
  redis.call('SETRANGE', KEYS[1], 0, string.sub(ARGV[1], 1, 1))
end
return { RECORD, now }
