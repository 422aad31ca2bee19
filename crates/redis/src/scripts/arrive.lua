-- Brings a record to where its session will move to. It does not count before the session has left its old key.
-- KEYS: new record. ARGV: the record as it arrives, how long it may take to be settled (ms), the last moment at which it
-- is wanted.

-- It may have arrived, been settled and ended since, and the mark still point here.
if now > tonumber(ARGV[3]) then
  return { LATE, now }
end
local value = redis.call('GET', KEYS[1])
if value and value ~= ARGV[1] then
  return { EXISTS, now }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { RECORD, now }
