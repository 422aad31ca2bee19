-- Replaces the record and gives the lock up.
-- KEYS: record, queue or nothing. ARGV: token, value, last millisecond of its life or '', '1' if this may have been
-- done, the last moment at which the answer is wanted.
local refused = refusal(ARGV[1])
if refused then
  if ARGV[4] == '1' and refused[1] == LOST and is_written_by(ARGV[1], head) then
    write_again()
    return { RECORD, now }
  end
  return refused
end

if ARGV[3] ~= '' and tonumber(ARGV[3]) < now then
  redis.call('DEL', KEYS[1])
  dissolve()
  return { RECORD, now }
end
-- In the value that was sent the lock is free, and nobody waits. Where the queue is cannot be seen, they may.
local value = ARGV[2]
if marked and not KEYS[2] then
  value = marked_value(value)
end
write(value, ARGV[3])
if marked then
  hand_over(ARGV[1], value, true)
end
return { RECORD, now }
