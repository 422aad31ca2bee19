-- Replaces the record and gives the lock up.
-- KEYS: record, queue or nothing. ARGV: token, value, last millisecond of its life or '', '1' if this may have been done.
local refused = refusal(ARGV[1])
if refused then
  if ARGV[4] == '1' and refused[1] == LOST and string.sub(head, LAST, VERSION - 1) == string.sub(ARGV[1], 1, 8) then
    write_again()
    return { RECORD, now }
  end
  return refused
end

if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
elseif tonumber(ARGV[3]) >= now then
  redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
else
  redis.call('DEL', KEYS[1])
  dissolve()
  return { RECORD, now }
end
-- In the value that was sent the lock is free.
hand_over(ARGV[1], ARGV[2], true)
return { RECORD, now }
