-- Replaces the record without a lock, if it is the record that was read and its lock is free.
-- KEYS: record. ARGV: the head of the record as it was read, with the lock free; value; last millisecond of its life or
-- ''; '1' for a retry; and, to ask for the time, any value.
-- include: codes
local PEEK = #ARGV[1]
local END = PEEK - 1
-- include: head, write

-- The usual case, before the functions for the others are defined.
if head == ARGV[1] and not ARGV[5] then
  write(ARGV[2], ARGV[3])
  return RECORD
end

-- include: reply, record
if not is_record then
  return no_record(head)
end
if ARGV[4] == '1' and is_written_by(string.sub(ARGV[2], LAST, VERSION - 1), head) then
  write_again()
  return { RECORD, now }
end

-- A waiter may have set the mark since, and the caller may not have kept the last writer.
local known, unknown = writer(ARGV[1], 0), string.rep('\0', 8)
local is_same = #head >= VERSION
  and string.sub(head, 2, PART) == string.sub(ARGV[1], 2, PART)
  and string.sub(head, VERSION) == string.sub(ARGV[1], VERSION)
  and (known == unknown or known == writer(head, 0))
if not is_same or ends > now then
  return { REWRITTEN, now }
end
local value = ARGV[2]
if marked then
  value = marked_value(value)
end
write(value, ARGV[3])
return { RECORD, now }
