-- Defines the functions that take a lock or join its queue.
-- ARGV: token, lease (ms), the last moment at which the request is valid; and if the token may be in the queue: '1',
-- channel or '', how long an entry is valid (ms), the number of this request (8 bytes).
local token, channel = ARGV[1], ARGV[5] or ''

-- The caller has given up by now, so the lock is not taken and the queue not joined.
if now > tonumber(ARGV[3]) then
  return { LATE, now }
end

-- Takes the lock and replies with `value`. `handed_over` says that the token already had it without a message.
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

-- Joins the queue if there is a channel for messages, and replies with the longest time to wait before the next
-- request.
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
    -- The queue lives as long as its longest valid entry.
    if redis.call('PEXPIRE', KEYS[2], trust, 'NX') == 0 then
      redis.call('PEXPIRE', KEYS[2], trust, 'GT')
    end
  end
  return { BUSY, now, rest }
end
