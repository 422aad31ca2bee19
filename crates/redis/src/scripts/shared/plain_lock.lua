-- Defines, for a lock without a record, the functions that `record` defines for the lock of a session.
-- The lock is a key of its own that holds the token and expires with the lease.
local holder = redis.call('GET', KEYS[1]) or ''

-- Returns the record that is handed over with the lock: none.
local function whole()
  return ''
end

-- Gives the lock to a token. Returns whether that succeeded, and the error otherwise.
local function grant(token, lease)
  local done = redis.pcall('SET', KEYS[1], token, 'PX', lease)
  return done.ok ~= nil, done
end

-- There is no waiters mark without a record, so the queue is always looked at.
local function mark() end

local function pass(token, lease)
  return (grant(token, lease))
end

local function free()
  redis.pcall('DEL', KEYS[1])
end
