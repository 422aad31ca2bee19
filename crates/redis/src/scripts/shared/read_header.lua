-- The number of bytes to read first: more than the header of any record, and than any tombstone or alias.
local PEEK, END = 64, '63'
