-- Takes a lock that guards no record.
-- KEYS: lock, queue or nothing. ARGV: as for take.
if holder == '' then
  return take('')
end
if holder == token then
  -- It was handed over, and the message was lost.
  return take('', 1)
end
return queue(redis.call('PTTL', KEYS[1]))
