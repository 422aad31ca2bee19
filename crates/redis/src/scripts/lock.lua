-- Takes the lock and reads the record.
-- KEYS: record, queue or nothing. ARGV: as for take.
if not is_record then
  return no_record(head)
end
if #head < VERSION then
  -- Something has damaged it, and there is no room for a lock. It is shown as it is.
  return { RECORD, now, head }
end
if ends <= now then
  return take(whole())
end
if holder == token then
  -- It was handed over, and the message was lost.
  return take(whole(), 1)
end
-- The end of the record changes things as well.
local deadline = struct.unpack('>I6', head, 8)
return queue(math.max(math.min(ends, deadline) - now, 0))
