-- The record, or what stands in its place.
-- KEYS: record.
local value = redis.call('GET', KEYS[1])
if value and string.byte(value) == RECORD then
  return { RECORD, now, value }
end
return no_record(value)
