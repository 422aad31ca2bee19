-- Lets the lease of a lock that guards no record run anew.
-- KEYS: lock. ARGV: token, lease (ms).
if holder ~= ARGV[1] then
  return { LOST, now }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { RECORD, now }
