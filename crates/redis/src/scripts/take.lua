-- Takes the lock that KEYS[2] is, for what value guards or is. Where it is held, answers how long to wait at most before
-- looking again, and joins the queue if there is an entry to join it with.
-- ARGV: token, lease (ms), entry or '', how long the queue is kept (ms).
local function take(value)
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
  return { BUSY, now, redis.call('PTTL', KEYS[2]) }
end
