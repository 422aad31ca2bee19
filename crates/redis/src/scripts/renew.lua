-- Lets the lease run anew.
-- KEYS: record, lock, queue. ARGV: token, lease (ms).
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if string.byte(kind) ~= RECORD then
  return no_record(redis.call('GET', KEYS[1]))
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return { RECORD, now }
