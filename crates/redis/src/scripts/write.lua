-- Writes the record that was sent. One whose deadline has come ends with that.
local function write(value, last)
  if last == '' then
    redis.call('SET', KEYS[1], value)
  else
    redis.call('SET', KEYS[1], value, 'PXAT', last)
  end
end
