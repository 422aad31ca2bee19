-- Lets the lease of a lock run anew.
-- KEYS: record. ARGV: token, lease (ms).
local refused = refusal(ARGV[1])
if refused then
  return refused
end
local granted, failure = grant(ARGV[1], tonumber(ARGV[2]))
if not granted then
  return failure
end
return { RECORD, now }
