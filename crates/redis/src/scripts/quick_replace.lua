-- The usual case, before all that the others need is made ready.
if head == ARGV[1] and not ARGV[5] then
  write(ARGV[2], ARGV[3])
  return RECORD
end
