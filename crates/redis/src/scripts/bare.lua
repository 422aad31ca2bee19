-- A lock that guards no record: a key of its own, which holds the token and ends with the lease.
local holder = redis.call('GET', KEYS[1]) or ''

-- Returns the value that is handed over with the lock: none.
local function whole()
  return ''
end

-- Gives the lock to a token; returns whether that was possible, and if not, why.
local function grant(token, lease)
  local done = redis.pcall('SET', KEYS[1], token, 'PX', lease)
  return done.ok ~= nil, done
end

-- There is no mark in a lock that guards nothing, so the queue is always looked at.
local function mark() end

local function pass(token, lease)
  return (grant(token, lease))
end

local function free()
  redis.pcall('DEL', KEYS[1])
end
