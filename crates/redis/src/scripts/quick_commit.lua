-- The usual case, before all that the others need is made ready: the lock is held, nobody waits, and the lease is not
-- over before the caller of this has given up. So the time needs not be asked for.
if #head >= VERSION and string.sub(head, TOKEN, LEASE - 1) == ARGV[1] and string.byte(head) == RECORD
  and string.byte(head, VERSION - 1) % 2 == 0 and struct.unpack('>I6', head, LEASE) > tonumber(ARGV[5]) then
  write(ARGV[2], ARGV[3])
  return RECORD
end
