-- asking.lua HOST PORT: LuaSocket connects with a time limit, that is without blocking, and never asks for the result.
local client = require("socket").tcp()
client:settimeout(20)
assert(client:connect(arg[1], tonumber(arg[2])))
assert(client:send("word\n"))
print(assert(client:receive()))
