-- Releases the lock, whether it was taken or handed over meanwhile, and removes the entry from the queue.
-- ARGV: token, '1' if the token may be in the queue.
if ARGV[2] == '1' then
  leave(ARGV[1])
end
if holder ~= ARGV[1] then
  return { LOST, now }
end
hand_over(ARGV[1])
return { RECORD, now }
