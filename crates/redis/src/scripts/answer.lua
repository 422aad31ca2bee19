-- What a script answers: a code, the server's time in milliseconds, and whatever belongs to the code.
-- The first three codes are also the first byte of a stored value, which says what stands there.
local MISSING, RECORD, TOMBSTONE, ALIAS, LOST, BUSY, EXISTS, REWRITTEN, LATE, APART = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The answer where no record stands. An alias is its end (48 bits) and the digest of the key it points to; it
-- answers with that digest and, when its end has come, as a tombstone.
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
  return { kind, now }
end
