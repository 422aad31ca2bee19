-- Turns an arriving record into a record, or removes it.
-- KEYS: new record. ARGV: the digest of the key it comes from, '1' if the session has moved, '' if it will not.
-- include: codes, reply
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value) ~= ARRIVING or string.sub(value, 2, 33) ~= ARGV[1] then
  return no_record(value)
end
local record = string.sub(value, 34)
local deadline = struct.unpack('>I6', record, 8)
if ARGV[2] ~= '1' or deadline <= now then
  redis.call('DEL', KEYS[1])
elseif deadline == 2 ^ 48 - 1 then
  redis.call('SET', KEYS[1], record)
else
  redis.call('SET', KEYS[1], record, 'PXAT', deadline - 1)
end
return { RECORD, now }
