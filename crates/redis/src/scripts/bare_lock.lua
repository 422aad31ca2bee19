-- Takes a lock that guards no record.
-- KEYS: nothing, lock, queue. ARGV: as for take.
return take('')
