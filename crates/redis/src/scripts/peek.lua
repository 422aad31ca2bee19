-- As long as the header of any record, and longer than any mark.
local PEEK, END = 64, '63'
