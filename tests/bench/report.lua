-- wrk: the method and content of requests, and its result as one line of JSON.
-- Arguments after "--": the length of the content of a POST, 0 for GET; a request-target in place of the URL's.

function init(args)
	local length = tonumber(args[1] or 0)
	if length > 0 then
		wrk.method = "POST"
		wrk.body = string.rep("x", length)
	end
	if args[2] then
		wrk.path = args[2]
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
