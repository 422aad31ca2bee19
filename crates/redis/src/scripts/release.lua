-- Gives the lock up, whether it was taken or handed over meanwhile, and leaves the queue.
-- KEYS: record, lock, queue. ARGV: token, entry or ''.
if ARGV[2] ~= '' then
  redis.call('LREM', KEYS[3], 1, ARGV[2])
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end
local value = redis.call('GET', KEYS[1])
if value and string.byte(value) == RECORD then
  hand_over(value)
else
  dissolve()
end
return { RECORD, now }
