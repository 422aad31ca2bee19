-- The usual case, before all that the others need is made ready: there is a session, and nobody waits for it.
if #head >= VERSION and string.byte(head) == RECORD and string.byte(head, VERSION - 1) % 2 == 0 then
  redis.call('DEL', KEYS[1])
  return RECORD
end
