-- The usual case, before all that the others need is made ready: the lock is free, and who asks has never had to wait.
if not ARGV[4] and #head >= VERSION and string.byte(head) == RECORD
  and string.sub(head, LEASE, LAST - 1) == '\0\0\0\0\0\0' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now <= tonumber(ARGV[3]) then
    local value = #head < PEEK and head or redis.call('GET', KEYS[1])
    redis.call('SETRANGE', KEYS[1], PART, ARGV[1] .. struct.pack('>I6', math.min(now + ARGV[2], FOREVER)))
    return { RECORD, now, value }
  end
end
