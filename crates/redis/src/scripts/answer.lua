-- What a script answers: a code, the server's time in milliseconds, and whatever belongs to the code.
-- The first three codes are also the first byte of a stored value, which says what stands there.
local MISSING, RECORD, TOMBSTONE, ALIAS, LOST, BUSY, EXISTS = 0, 1, 2, 3, 4, 5, 6

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The answer where no record stands. An alias is its end (48 bits) and the digest of the key it points to; it
-- answers with that digest and with whether it still holds.
local function no_record(value)
  if not value or value == '' then
    return { MISSING, now }
  end
  local kind = string.byte(value)
  if kind == ALIAS then
    local ends = struct.unpack('>I6', value, 2)
    return { ALIAS, now, string.sub(value, 8, 39), now < ends and 1 or 0 }
  end
  return { kind, now }
end
