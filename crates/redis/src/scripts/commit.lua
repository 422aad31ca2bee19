-- Replaces the record and gives the lock up.
-- KEYS: record, lock, queue. ARGV: token, value, last millisecond of its life or ''.
local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if string.byte(kind) ~= RECORD then
  return no_record(redis.call('GET', KEYS[1]))
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return { LOST, now }
end

if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
elseif tonumber(ARGV[3]) >= now then
  redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
else
  redis.call('DEL', KEYS[1])
  dissolve()
  return { RECORD, now }
end
hand_over(ARGV[2])
return { RECORD, now }
