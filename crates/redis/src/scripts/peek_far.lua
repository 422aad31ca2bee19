-- Long enough for most records as a whole.
local PEEK, END = 1024, '1023'
