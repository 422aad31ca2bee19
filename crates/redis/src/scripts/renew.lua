-- Lets the lease run anew of a lock that held.lua has seen to be held.
-- KEYS: record, lock, queue. ARGV: token, lease (ms).
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return { RECORD, now }
