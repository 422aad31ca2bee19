-- The queue of those who wait for a lock in other processes, KEYS[2]. Without that key, because a cluster has it at
-- another place for the moment, nobody is handed anything: those who wait look by themselves.
--
-- An entry is a token (16 bytes), the lease its owner wants in milliseconds (4 bytes), until when it may be trusted
-- (6 bytes), the number of the look that has written it (8 bytes) and the channel its owner listens on. Each look of its
-- owner renews it. A message is the token of the entry and a byte that says whether the lock comes with it (1) or not (0).
-- Behind a 1 follow the number of the look, by which its owner knows an old message, and the record.
--
-- A process with an entry has marked the record, so nothing here is called where there is no mark.
--
-- All this comes after what a script is called for has been written, so nothing here may fail.
local LOOK, CHANNEL = 27, 35

-- Returns whether somebody listened. Replicas are not told: whoever listens at one, as it was the primary before, would
-- hear of a lock there that went to somebody else here because nobody listened.
local function tell(entry, message)
  redis.set_repl(redis.REPL_NONE)
  local listeners = redis.pcall('SPUBLISH', string.sub(entry, CHANNEL), string.sub(entry, 1, 16) .. message)
  redis.set_repl(redis.REPL_ALL)
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

-- Gives the lock and the record to the one that has waited longest, or to nobody. Passed over are those that no longer
-- listen, and those that have not looked for so long that they may have been stopped; also the token that gives it up:
-- served without the queue, it may still stand there. `is_free` says that the lock needs not be given up any more.
local function hand_over(token, record, is_free)
  while KEYS[2] do
    local entry = redis.pcall('LPOP', KEYS[2])
    if type(entry) ~= 'string' then
      break
    end
    local other = string.sub(entry, 1, 16)
    if #entry >= CHANNEL and other ~= token and now <= struct.unpack('>I6', entry, 21) then
      record, is_free = record or whole(), false
      local message = '\1' .. string.sub(entry, LOOK, CHANNEL - 1) .. record
      if pass(other, struct.unpack('>I4', entry, 17), record) and tell(entry, message) then
        return
      end
    end
  end
  if not is_free then
    free(record)
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
