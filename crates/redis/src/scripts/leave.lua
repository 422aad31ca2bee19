-- Leaves the queue, and goes on only where the lock is held with this token.
-- KEYS: anything, lock, queue. ARGV: token, entry or ''.
if ARGV[2] ~= '' then
  redis.call('LREM', KEYS[3], 1, ARGV[2])
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end
