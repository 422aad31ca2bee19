-- The number of bytes to read first: enough for most records as a whole.
local PEEK, END = 1024, '1023'
