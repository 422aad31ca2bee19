-- Replaces the record without a lock, if it is the one that was read and nobody holds its lock.
-- KEYS: record. ARGV: the head of the record as it was read, with the lock free; value; last millisecond of its life or
-- ''; '1' if this may have been done; and, if the time is asked for, anything.
local PEEK = #ARGV[1]
local END = PEEK - 1
