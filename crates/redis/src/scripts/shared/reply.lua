local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Returns the reply for a key that has no record. An alias consists of its end (48 bits) and the digest of the key it
-- points to. The reply has that digest or, after its end, is that of a tombstone. An arriving record consists of the
-- digest of the key it comes from and the record. The reply has that digest.
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
