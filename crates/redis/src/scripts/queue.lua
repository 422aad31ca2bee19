-- The queue of those who wait for a lock in other processes. An entry is a token (16 bytes), the lease its owner
-- wants in milliseconds (4 bytes) and the channel its owner listens on. A message is the token of the entry, a byte
-- that says whether the lock comes with it (1) or not (0), and the record. KEYS[2] is the lock, KEYS[3] the queue.

-- Returns whether somebody listened. That it is not allowed to publish must not undo what has been written.
local function tell(entry, message)
  local listeners = redis.pcall('SPUBLISH', string.sub(entry, 21), string.sub(entry, 1, 16) .. message)
  return type(listeners) == 'number' and listeners > 0
end

-- Gives the lock and the record to whoever has waited longest, or to nobody. Who no longer listens is passed over.
local function hand_over(record)
  local entry = redis.call('LPOP', KEYS[3])
  while entry do
    if tell(entry, '\1' .. record) then
      local lease = struct.unpack('>I4', entry, 17)
      redis.call('SET', KEYS[2], string.sub(entry, 1, 16), 'PX', lease)
      return
    end
    entry = redis.call('LPOP', KEYS[3])
  end
  redis.call('DEL', KEYS[2])
end

-- Takes lock and queue away and tells all who wait to look again.
local function dissolve()
  for _, entry in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
    tell(entry, '\0')
  end
  redis.call('DEL', KEYS[2], KEYS[3])
end
