-- Arguments: object bytes, prefix of names, first number, how many numbers there are before 0 follows.
local bytes, prefix, first, count
local done = 0

function init(args)
  bytes, prefix, first, count = args[1], args[2], tonumber(args[3]), tonumber(args[4])
end

function request()
  local number = (first + done) % count
  done = done + 1
  return wrk.format("GET", "/o/" .. bytes .. "/" .. prefix .. string.format("%d", number) .. ".m4s")
end
