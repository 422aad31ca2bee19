-- Moves the last activity and the deadline forward in the value: 48 bits each, all ones for none. The lock after them
-- stays as it is. Refuses a record of another version, which is compared byte by byte.
-- KEYS: record. ARGV: version as in a record without facts, last activity (ms), deadline (ms) or ''.
-- include: codes, read_header, head, reply, record
if not is_record then
  return no_record(head)
end
if string.sub(head, VERSION, VERSION + #ARGV[1] - 1) ~= ARGV[1] then
  -- In a record with facts, the version has ten bytes, and the highest bit of each is set.
  local last = string.char(string.byte(ARGV[1], -1) + 128)
  local version = string.sub(ARGV[1], 1, -2) .. last .. string.rep('\128', 10 - #ARGV[1])
  if string.sub(head, VERSION, VERSION + 9) ~= version then
    return { REWRITTEN, now }
  end
end

local active, deadline = struct.unpack('>I6I6', head, 2)
local moved_active = math.max(active, tonumber(ARGV[2]))
local moved = deadline
if ARGV[3] == '' then
  moved = FOREVER
elseif deadline ~= FOREVER then
  moved = math.max(deadline, tonumber(ARGV[3]))
end

if moved ~= deadline or moved_active ~= active then
  redis.call('SETRANGE', KEYS[1], '1', struct.pack('>I6I6', moved_active, moved))
end
local done = 0
if moved == FOREVER then
  done = redis.pcall('PERSIST', KEYS[1])
elseif moved ~= deadline then
  done = redis.pcall('PEXPIREAT', KEYS[1], moved - 1)
end
if type(done) == 'table' then
  -- Restores the value, so that either both changes are made or none.
  redis.call('SETRANGE', KEYS[1], '1', struct.pack('>I6I6', active, deadline))
  return done
end
return { RECORD, now }
