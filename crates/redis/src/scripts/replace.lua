if not is_record then
  return no_record(head)
end
if ARGV[4] == '1' and is_written_by(string.sub(ARGV[2], LAST, VERSION - 1), head) then
  write_again()
  return { RECORD, now }
end

-- Who waits may have marked it since, and whoever has read it may not have kept by whom it was written.
local known, unknown = writer(ARGV[1], 0), string.rep('\0', 8)
local is_same = #head >= VERSION
  and string.sub(head, 2, PART) == string.sub(ARGV[1], 2, PART)
  and string.sub(head, VERSION) == string.sub(ARGV[1], VERSION)
  and (known == unknown or known == writer(head, 0))
if not is_same or ends > now then
  return { REWRITTEN, now }
end
local value = ARGV[2]
if marked then
  value = marked_value(value)
end
write(value, ARGV[3])
return { RECORD, now }
