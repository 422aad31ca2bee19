-- Defines the functions that read the queue of waiting processes, KEYS[2]. Without that key, because it is on another
-- node of a cluster while its slot migrates, nothing is handed over: the waiting processes poll.
--
-- An entry is a token (16 bytes), the lease its owner wants in milliseconds (4 bytes), the moment until which it is
-- valid (6 bytes), the number of the request that wrote it (8 bytes) and the channel of its owner. Each request of the
-- owner renews it. A message is the token of the entry and a byte that says whether the lock is granted (1) or not
-- (0). After a 1 follow the number of the request, by which the owner recognises an old message, and the record.
--
-- A process with an entry has set the waiters mark of the record, so nothing here is called without the mark.
--
-- The functions are called after the operation itself has been written, so none of them may fail.
local LOOK, CHANNEL = 27, 35

-- Publishes a message to the owner of an entry. Returns whether there was a subscriber.
-- Replicas do not get the message: a subscriber on a former primary would learn of a lock there that was granted to
-- another process here because there was no subscriber.
local function tell(entry, message)
  redis.set_repl(redis.REPL_NONE)
  local listeners = redis.pcall('SPUBLISH', string.sub(entry, CHANNEL), string.sub(entry, 1, 16) .. message)
  redis.set_repl(redis.REPL_ALL)
  return type(listeners) == 'number' and listeners > 0
end

-- Removes the entry of this token from the queue.
local function leave(token)
  if KEYS[2] then
    for _, entry in ipairs(redis.pcall('LRANGE', KEYS[2], 0, -1)) do
      if string.sub(entry, 1, 16) == token then
        redis.pcall('LREM', KEYS[2], 1, entry)
      end
    end
  end
end

-- Hands the lock and the record to the first valid entry, or frees the lock if there is none. Skipped are entries
-- without a subscriber, entries that have expired because their owner may have been stopped, and the token that
-- releases the lock, which may still be in the queue if it took the lock without naming the queue. `is_free` says that
-- the lock is already free.
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

-- Removes the queue and tells all owners to ask again.
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
