-- Lets the lease of a lock that guards no record run anew.
-- KEYS: nothing, lock, queue. ARGV: token, lease (ms).
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return { RECORD, now }
