-- Takes a lock without a record.
-- KEYS: lock, queue or nothing. ARGV: as for `take`.
-- include: codes, reply, plain_lock, queue, take
if holder == '' then
  return take('')
end
if holder == token then
  -- The lock was handed over, and the message was lost.
  return take('', 1)
end
return queue(redis.call('PTTL', KEYS[1]))
