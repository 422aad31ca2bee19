-- Gives a lock that guards no record up, whether it was taken or handed over meanwhile. leave.lua has left the queue.
-- KEYS: nothing, lock, queue. ARGV: token, entry or ''.
hand_over('')
return { RECORD, now }
