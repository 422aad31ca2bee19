-- Writes a record with its time to live. A deadline that has passed removes the key.
local function write(value, last)
  if last == '' then
    redis.call('SET', KEYS[1], value)
  else
    redis.call('SET', KEYS[1], value, 'PXAT', last)
  end
end
