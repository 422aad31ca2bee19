-- Takes the lock and reads the record.
-- KEYS: record, lock, queue. ARGV: as for take.
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value) ~= RECORD then
  return no_record(value)
end
local answer = take(value)
if answer[1] == BUSY then
  -- The end of the record changes things as well.
  local life = redis.call('PTTL', KEYS[1])
  if life >= 0 and life < answer[3] then
    answer[3] = life
  end
end
return answer
