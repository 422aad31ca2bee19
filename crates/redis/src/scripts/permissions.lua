-- Calls each command that the scripts call, and replies with the name and the error of the first that is refused.
-- Leaves nothing behind.
-- KEYS: a record and a queue that no session uses. ARGV: '1' for locks without records, or ''.
local record, queue = KEYS[1], KEYS[2]
local calls = {
  { 'TIME' },
  { 'SET', record, 'record', 'PX', 1000 },
  { 'GET', record },
  { 'RPUSH', queue, 'one', 'two' },
  { 'PEXPIRE', queue, 1000 },
  { 'LSET', queue, 0, 'three' },
  { 'LRANGE', queue, 0, -1 },
  { 'LREM', queue, 1, 'two' },
  { 'LPOP', queue },
}
if ARGV[1] == '1' then
  table.insert(calls, { 'PTTL', record })
else
  table.insert(calls, { 'GETRANGE', record, 0, 0 })
  table.insert(calls, { 'SETRANGE', record, 0, 'x' })
  table.insert(calls, { 'EXISTS', record })
  table.insert(calls, { 'PEXPIREAT', record, '99999999999999' })
  table.insert(calls, { 'PERSIST', record })
end
table.insert(calls, { 'DEL', record, queue })

for _, call in ipairs(calls) do
  local done = redis.pcall(unpack(call))
  if type(done) == 'table' and done.err then
    -- Cleans up as far as that is permitted. The rest expires.
    redis.pcall('PEXPIRE', record, 1)
    redis.pcall('PEXPIRE', queue, 1)
    redis.pcall('DEL', record, queue)
    return { call[1], done.err }
  end
end
return {}
