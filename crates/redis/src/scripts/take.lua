-- Taking a lock.
-- ARGV: token, lease (ms), the last moment at which the lock is wanted; and where the token may stand in the queue:
-- '1', channel or '', how long an entry may be trusted (ms), the number of this look (8 bytes).
local token, channel = ARGV[1], ARGV[5] or ''

-- Nothing is taken, and nothing joins the queue, when the one who asked has given up by now.
if now > tonumber(ARGV[3]) then
  return { LATE, now }
end

-- Takes the lock for what `value` guards or is. `handed_over` says that the token has had it without being told.
local function take(value, handed_over)
  local granted, failure = grant(token, tonumber(ARGV[2]))
  if not granted then
    return failure
  end
  if ARGV[4] == '1' then
    leave(token)
  end
  return { RECORD, now, value, handed_over }
end

-- Joins the queue if there is a channel to be told on, and answers how long to wait at most before looking again.
local function queue(rest)
  if channel ~= '' and KEYS[2] then
    local lease, trust = math.min(tonumber(ARGV[2]), 2 ^ 32 - 1), tonumber(ARGV[6])
    local entry = token .. struct.pack('>I4I6', lease, math.min(now + trust, 2 ^ 48 - 1)) .. ARGV[7] .. channel
    mark()
    local place
    for index, other in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
      if string.sub(other, 1, 16) == token then
        place = index - 1
      end
    end
    if place then
      redis.call('LSET', KEYS[2], place, entry)
    else
      redis.call('RPUSH', KEYS[2], entry)
    end
    -- The queue lasts as long as any entry may be trusted.
    if redis.call('PEXPIRE', KEYS[2], trust, 'NX') == 0 then
      redis.call('PEXPIRE', KEYS[2], trust, 'GT')
    end
  end
  return { BUSY, now, rest }
end
