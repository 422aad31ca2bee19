-- Long enough for most records as a whole.
local PEEK = 1024
