-- Binary trees, tables of strings, closures.
local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end

local function count(t)
  return t[1] and 1 + count(t[1]) + count(t[2]) or 1
end

local total, x = 0, 1
local long_lived = tree(15)
for r = 1, tonumber(arg[1]) do
  for i = 1, 40 do total = total + count(tree(10)) end
  local seen = {}
  for i = 1, 40000 do
    x = x * 75 % 1048583
    local key = "key" .. x % 9000
    seen[key] = (seen[key] or "") .. (i % 16 == 0 and key or "")
  end
  local functions = {}
  for key, text in pairs(seen) do functions[#functions + 1] = function() return #key + #text end end
  for i = 1, #functions do total = total + functions[i]() end
end
print(total + count(long_lived))
