-- Gives the lock up, whether it was taken or handed over meanwhile, and the place in the queue.
-- KEYS: record or lock, queue or nothing. ARGV: token, '1' if the token may stand in the queue.
if ARGV[2] == '1' then
  leave(ARGV[1])
end
if holder ~= ARGV[1] then
  return { LOST, now }
end
hand_over(ARGV[1])
return { RECORD, now }
