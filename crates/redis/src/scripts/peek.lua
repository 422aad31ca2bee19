-- Reads a record, or the value in its place. With a second key: if the first is a valid alias of it, reads the second.
-- KEYS: record, the key of which it may be an alias or nothing. ARGV: the digest of that key.
-- include: codes, reply
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
