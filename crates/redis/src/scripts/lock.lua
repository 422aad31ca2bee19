-- Takes the lock and reads the record. Where the lock is held, answers how long to wait at most before looking
-- again, and joins the queue if there is an entry to join it with.
-- KEYS: record, lock, queue. ARGV: token, lease (ms), entry or '', how long the queue is kept (ms).
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value) ~= RECORD then
  return no_record(value)
end

if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  if ARGV[3] ~= '' then
    redis.call('LREM', KEYS[3], 1, ARGV[3])
  end
  return { RECORD, now, value }
end
if redis.call('GET', KEYS[2]) == ARGV[1] then
  -- It was handed over, and the message was lost.
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return { RECORD, now, value, 1 }
end

if ARGV[3] ~= '' then
  if not redis.call('LPOS', KEYS[3], ARGV[3]) then
    redis.call('RPUSH', KEYS[3], ARGV[3])
  end
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
local wait, life = redis.call('PTTL', KEYS[2]), redis.call('PTTL', KEYS[1])
if life >= 0 and life < wait then
  wait = life
end
return { BUSY, now, wait }
