#!lua flags=allow-oom
-- Restarts the lease of a lock.
-- KEYS: record. ARGV: token, lease (ms).
-- include: codes, read_header, head, reply, record
local refused = refusal(ARGV[1])
if refused then
  return refused
end
local granted, failure = grant(ARGV[1], tonumber(ARGV[2]))
if not granted then
  return failure
end
return { RECORD, now }
