-- The usual case, before all that the others need is made ready: the lock is held, and nobody waits.
if ARGV[2] == '' and #head >= VERSION and string.sub(head, TOKEN, LEASE - 1) == ARGV[1] and string.byte(head) == RECORD
  and string.byte(head, VERSION - 1) % 2 == 0 then
  redis.call('SETRANGE', KEYS[1], PART, string.rep('\0', LAST - TOKEN))
  return RECORD
end
