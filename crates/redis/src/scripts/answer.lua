local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The answer where no record stands. An alias is its end (48 bits) and the digest of the key it points to; it
-- answers with that digest and, when its end has come, as a tombstone. A record that is arriving is the digest of the key
-- it comes from and what it will be; it answers with that digest.
local function no_record(value)
  if not value or value == '' then
    return { MISSING, now }
  end
  local kind = string.byte(value)
  if kind == ALIAS then
    if now < struct.unpack('>I6', value, 2) then
      return { ALIAS, now, string.sub(value, 8, 39) }
    end
    return { TOMBSTONE, now }
  end
  if kind == ARRIVING then
    return { ARRIVING, now, string.sub(value, 2, 33) }
  end
  return { kind, now }
end
