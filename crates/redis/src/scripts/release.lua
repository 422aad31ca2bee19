-- Gives the lock up, whether it was taken or handed over meanwhile. leave.lua has left the queue.
-- KEYS: record, lock, queue. ARGV: token, entry or ''.
local value = redis.call('GET', KEYS[1])
if value and string.byte(value) == RECORD then
  hand_over(value)
else
  dissolve()
end
return { RECORD, now }
