-- Moves the last activity and the deadline forward, where they stand in the value: 48 bits each, all ones for none.
-- Not where the record has another version, which stands behind the times and is compared byte by byte.
-- KEYS: record. ARGV: version as in the value, last activity (ms), deadline (ms) or ''.
local head = redis.call('GETRANGE', KEYS[1], 0, 18 + #ARGV[1])
if string.byte(head) ~= RECORD then
  return no_record(redis.call('GET', KEYS[1]))
end
if string.sub(head, 20) ~= ARGV[1] then
  return { REWRITTEN, now }
end

local NEVER = 2 ^ 48 - 1
local active, deadline = struct.unpack('>I6I6', head, 2)
local moved_active = math.max(active, tonumber(ARGV[2]))
local moved = deadline
if ARGV[3] == '' then
  moved = NEVER
elseif deadline ~= NEVER then
  moved = math.max(deadline, tonumber(ARGV[3]))
end

if moved ~= deadline or moved_active ~= active then
  redis.call('SETRANGE', KEYS[1], 1, struct.pack('>I6I6', moved_active, moved))
end
if moved == NEVER then
  redis.call('PERSIST', KEYS[1])
elseif moved ~= deadline then
  redis.call('PEXPIREAT', KEYS[1], moved - 1)
end
return { RECORD, now }
