-- Stores a record at the key to which its session is about to move. It does not count before the session has left its
-- old key.
-- KEYS: new record. ARGV: the arriving record, how long it may take to be settled (ms), the last moment at which the
-- request is valid.
-- include: codes, reply

-- A late request might restore a record that has arrived, was settled and has ended since, while the old key still
-- points here.
if now > tonumber(ARGV[3]) then
  return { LATE, now }
end
local value = redis.call('GET', KEYS[1])
if value and value ~= ARGV[1] then
  return { EXISTS, now }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { RECORD, now }
