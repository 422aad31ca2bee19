-- Moves the session to a new key and releases the lock. The old key gets a tombstone, or an alias that becomes one.
-- KEYS: record, queue, new record; or the record alone. ARGV: token, value, last millisecond of its life or '', '1'
-- for a retry, grace (ms), lifetime of a tombstone (ms), digest of the new key, name of the new record, '1' if the new
-- record is arriving on another node: only the tombstone or alias is left to be written then, and this write moves the
-- session.
-- include: codes, read_header, head, reply, record, queue
local new = KEYS[3] or ARGV[8]
local refused = refusal(ARGV[1])
if refused then
  if ARGV[4] ~= '1' then
    return refused
  end
  if head ~= '' and not is_record and string.sub(head, -32) == ARGV[7] then
    write_again()
    return { RECORD, now }
  end
  -- If the old key got neither tombstone nor alias, the new record proves that the session has moved.
  local moved = redis.pcall('GETRANGE', new, 0, VERSION - 2)
  if type(moved) == 'string' and is_written_by(ARGV[1], moved) then
    redis.call('SETRANGE', new, 0, string.sub(moved, 1, 1))
    return { RECORD, now }
  end
  return refused
end

local grace = tonumber(ARGV[5])
local stays = grace + tonumber(ARGV[6])
if ARGV[9] == '1' then
  -- An arriving record counts only while the tombstone or alias points to it, until it has been settled.
  stays = math.max(stays, 60000)
else
  -- While a slot migrates, a new key can exist only on the node that imports the slot.
  local taken = redis.pcall('EXISTS', new)
  if taken == 1 then
    return { EXISTS, now }
  end
  if taken ~= 0 then
    return KEYS[3] and taken or { APART, now }
  end
  if ARGV[3] == '' then
    redis.call('SET', new, ARGV[2])
  elseif now <= tonumber(ARGV[3]) then
    redis.call('SET', new, ARGV[2], 'PXAT', ARGV[3])
  end
end
if stays == 0 then
  redis.call('DEL', KEYS[1])
elseif grace > 0 then
  redis.call('SET', KEYS[1], struct.pack('>BI6', ALIAS, math.min(now + grace, FOREVER)) .. ARGV[7], 'PX', stays)
else
  redis.call('SET', KEYS[1], string.char(TOMBSTONE) .. ARGV[7], 'PX', stays)
end
if marked then
  dissolve()
end
return { RECORD, now }
