-- wrk: the method and content of requests, and its result as one line of JSON.
-- Arguments after "--": the length of the content of a POST, 0 for GET; "form" for content of fields as a browser
-- sends them, "" for any; a request-target in place of the URL's.

function init(args)
	local length = tonumber(args[1] or 0)
	if length > 0 then
		wrk.method = "POST"
		wrk.body = string.rep("x", length)
	end
	if args[3] then
		wrk.path = args[3]
	end
	if args[2] == "form" then
		local field = "text=Gr%C3%B6%C3%9Fe+of+a+field+with+some+words&"
		wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
		wrk.body = string.rep(field, math.floor(#wrk.body / #field)):sub(1, -2)
		wrk.body = wrk.body .. string.rep("x", tonumber(args[1]) - #wrk.body)
	end
end

function done(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format(
		'{"requests":%d,"errors":%d,"first_error":"%s","bytes":%d,"seconds":%.6f,' ..
		'"p50":%d,"p90":%d,"p99":%d,"p999":%d,"max":%d}\n',
		summary.requests,
		errors.connect + errors.read + errors.write + errors.timeout + errors.status,
		string.format("connect %d, read %d, write %d, timeout %d, status %d", errors.connect,
			errors.read, errors.write, errors.timeout, errors.status),
		summary.bytes, summary.duration / 1e6,
		latency:percentile(50), latency:percentile(90), latency:percentile(99),
		latency:percentile(99.9), latency.max))
end
