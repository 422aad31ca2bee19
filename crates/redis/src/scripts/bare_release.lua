-- Gives a lock that guards no record up, whether it was taken or handed over meanwhile, and leaves the queue.
-- KEYS: nothing, lock, queue. ARGV: token, entry or ''.
if ARGV[2] ~= '' then
  redis.call('LREM', KEYS[3], 1, ARGV[2])
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end
hand_over('')
return { RECORD, now }
