-- Restarts the lease of a lock without a record.
-- KEYS: lock. ARGV: token, lease (ms).
-- include: codes, reply, plain_lock
if holder ~= ARGV[1] then
  return { LOST, now }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { RECORD, now }
