-- Moves the session to a new key and gives the lock up, of which held.lua has seen that it is held. What stays behind
-- under the old key is a tombstone, or an alias that becomes one.
-- KEYS: record, lock, queue, new record. ARGV: token, value, last millisecond of its life or '', grace (ms),
-- how long a tombstone stands (ms), digest of the new key.
if redis.call('EXISTS', KEYS[4]) == 1 then
  return { EXISTS, now }
end

local grace = tonumber(ARGV[4])
local stays = grace + tonumber(ARGV[5])
if ARGV[3] == '' then
  redis.call('SET', KEYS[4], ARGV[2])
elseif now <= tonumber(ARGV[3]) then
  redis.call('SET', KEYS[4], ARGV[2], 'PXAT', ARGV[3])
end
if stays == 0 then
  redis.call('DEL', KEYS[1])
elseif grace > 0 then
  redis.call('SET', KEYS[1], struct.pack('>BI6', ALIAS, math.min(now + grace, 2 ^ 48 - 1)) .. ARGV[6], 'PX', stays)
else
  redis.call('SET', KEYS[1], string.char(TOMBSTONE) .. ARGV[6], 'PX', stays)
end
dissolve()
return { RECORD, now }
