-- The queue of those who wait for a lock in other processes. An entry is a token (16 bytes), the lease its owner
-- wants in milliseconds (4 bytes) and the channel its owner listens on. KEYS[2] is the lock, KEYS[3] the queue.

-- Gives the lock and the record to whoever has waited longest, or to nobody. Who no longer listens is passed over.
local function hand_over(record)
  local entry = redis.call('LPOP', KEYS[3])
  while entry do
    local token = string.sub(entry, 1, 16)
    if redis.call('SPUBLISH', string.sub(entry, 21), token .. record) > 0 then
      redis.call('SET', KEYS[2], token, 'PX', struct.unpack('>I4', entry, 17))
      return
    end
    entry = redis.call('LPOP', KEYS[3])
  end
  redis.call('DEL', KEYS[2])
end

-- Takes lock and queue away and tells all who wait to look again.
local function dissolve()
  for _, entry in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
    redis.call('SPUBLISH', string.sub(entry, 21), string.sub(entry, 1, 16))
  end
  redis.call('DEL', KEYS[2], KEYS[3])
end
