-- The queue of those who wait for a lock in other processes, KEYS[2]. Without that key, because a cluster has it at
-- another place for the moment, nobody is handed anything: those who wait look by themselves.
--
-- An entry is a token (16 bytes), the lease its owner wants in milliseconds (4 bytes), until when it may be trusted
-- (6 bytes) and the channel its owner listens on. Each look of its owner renews it. A message is the token of the entry,
-- a byte that says whether the lock comes with it (1) or not (0), and the record.
--
-- All this comes after what a script is called for has been written, so nothing here may fail.
local CHANNEL = 27

-- Returns whether somebody listened.
local function tell(entry, message)
  local listeners = redis.pcall('SPUBLISH', string.sub(entry, CHANNEL), string.sub(entry, 1, 16) .. message)
  return type(listeners) == 'number' and listeners > 0
end

-- Takes the entry of this token out of the queue.
local function leave(token)
  if KEYS[2] then
    for _, entry in ipairs(redis.pcall('LRANGE', KEYS[2], 0, -1)) do
      if string.sub(entry, 1, 16) == token then
        redis.pcall('LREM', KEYS[2], 1, entry)
      end
    end
  end
end

-- Gives the lock and the record to whoever has waited longest, or to nobody. Passed over are those who no longer
-- listen, and those who have not looked for so long that they may have been stopped. `is_free` says that the lock
-- needs not be given up any more.
local function hand_over(record, is_free)
  while KEYS[2] do
    local entry = redis.pcall('LPOP', KEYS[2])
    if type(entry) ~= 'string' then
      break
    end
    if #entry >= CHANNEL and now <= struct.unpack('>I6', entry, 21) then
      record = record or whole()
      is_free = false
      if grant(string.sub(entry, 1, 16), struct.unpack('>I4', entry, 17)) and tell(entry, '\1' .. record) then
        return
      end
    end
  end
  if not is_free then
    free()
  end
end

-- Takes the queue away and tells all who wait to look again.
local function dissolve()
  if KEYS[2] then
    local entries = redis.pcall('LRANGE', KEYS[2], 0, -1)
    if #entries > 0 then
      for _, entry in ipairs(entries) do
        tell(entry, '\0')
      end
      redis.pcall('DEL', KEYS[2])
    end
  end
end
