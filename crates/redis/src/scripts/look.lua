-- The record, or what stands in its place. With a second key: if the first is an alias of it that still holds, what
-- stands under the second.
-- KEYS: record, the key it may be an alias of or nothing. ARGV: the digest of that key.
local value = redis.call('GET', KEYS[1])
if KEYS[2] and value and string.byte(value) == ALIAS then
  local answer = no_record(value)
  if answer[3] == ARGV[1] then
    value = redis.call('GET', KEYS[2])
  end
end
if value and string.byte(value) == RECORD then
  return { RECORD, now, value }
end
return no_record(value)
