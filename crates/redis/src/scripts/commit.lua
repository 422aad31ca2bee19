-- Replaces the record and gives the lock up, of which held.lua has seen that it is held.
-- KEYS: record, lock, queue. ARGV: token, value, last millisecond of its life or ''.
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
