"use strict";
/* Shows /api/status, once a second. Whatever the server says becomes text, never markup. */

const POLL_MS = 1000;
const HISTORY = 120; /* samples in the chart */
const CHANGES_MAX = 50;

const at = (id) => document.getElementById(id);
const history = []; /* {ms, requests, refused, reasons: Map} */
let last = null;    /* the status before */

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function count(n) {
  return Number(n).toLocaleString("en");
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (n = Number(n); n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return (unit === 0 ? n : n.toFixed(1)) + " " + units[unit];
}

function duration(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let rest = Math.floor(Number(seconds));
  const said = [];
  for (const [size, unit] of parts) {
    if (rest >= size && said.length < 2) said.push(Math.floor(rest / size) + " " + unit);
    rest %= size;
  }
  return said.join(" ") || "0 s";
}

function rateText(rate) {
  return rate >= 100 || rate === 0 ? count(Math.round(rate)) : rate.toFixed(1);
}

function list(id, rows) {
  const nodes = [];
  for (const [term, value] of rows) nodes.push(element("dt", term), element("dd", value));
  at(id).replaceChildren(...nodes);
}

/* ---- traffic ---- */

function remember(status) {
  const reasons = new Map(status.reasons.map((r) => [r.name, r.count]));
  const counters = status.counters;
  history.push({ ms: status.now_ms, requests: counters.requests, refused: counters.requests_rejected, reasons });
  if (history.length > HISTORY + 1) history.shift();
}

function rates(key) {
  const result = [];
  for (let i = 1; i < history.length; i++) {
    const seconds = (history[i].ms - history[i - 1].ms) / 1000;
    result.push(seconds > 0 ? Math.max(0, history[i][key] - history[i - 1][key]) / seconds : 0);
  }
  return result;
}

function line(values, peak, closed) {
  const points = values.map((v, i) => {
    const x = 600 * (HISTORY - values.length + i) / (HISTORY - 1);
    return x.toFixed(1) + " " + (118 - 112 * v / peak).toFixed(1);
  });
  if (points.length < 2) return "";
  const path = "M" + points.join("L");
  return closed ? path + "L600 121L" + points[0].split(" ")[0] + " 121Z" : path;
}

function showTraffic() {
  const all = rates("requests");
  const refused = rates("refused");
  if (all.length === 0) return;
  const peak = Math.max(1, ...all);
  at("rate").textContent = rateText(all[all.length - 1]);
  at("refused-rate").textContent = rateText(refused[refused.length - 1]);
  at("peak").textContent = "peak " + rateText(Math.max(...all)) + "/s";
  at("chart-fill").setAttribute("d", line(all, peak, true));
  at("chart-all").setAttribute("d", line(all, peak, false));
  at("chart-refused").setAttribute("d", line(refused, peak, false));
}

/* ---- tables ---- */

function lastMinute(name, now) {
  const then = history[Math.max(0, history.length - 61)];
  return now - (then && then.reasons.get(name) || (history.length > 1 ? 0 : now));
}

function showReasons(reasons) {
  const rows = reasons.slice().sort((a, b) => b.count - a.count).map((r) => {
    const row = element("tr");
    const name = element("td");
    const recent = lastMinute(r.name, r.count);
    name.append(element("code", r.name));
    row.append(name, element("td", r.text), element("td", r.status || "closed", "n"),
      element("td", count(recent), recent > 0 ? "n hot" : "n"), element("td", count(r.count), "n"));
    return row;
  });
  at("reasons").hidden = rows.length === 0;
  at("no-reasons").hidden = rows.length > 0;
  at("reasons").tBodies[0].replaceChildren(...rows);
}

function showProcesses(processes) {
  const rows = processes.map((p) => {
    const row = element("tr");
    row.append(element("td", p.role === "worker" ? "worker " + p.slot : p.role), element("td", p.pid, "n"),
      element("td", p.state), element("td", p.restarts, p.restarts > 0 ? "n hot" : "n"));
    return row;
  });
  at("processes").tBodies[0].replaceChildren(...rows);
}

function showAnswers(responses) {
  const entries = Object.entries(responses).filter(([, n]) => n > 0);
  const most = Math.max(1, ...entries.map(([, n]) => n));
  const rows = entries.map(([name, n]) => {
    const row = element("div", undefined, "bar");
    const track = element("span");
    const bar = element("i", undefined, "c" + name);
    bar.style.width = (100 * n / most) + "%";
    track.append(bar);
    row.append(element("span", name), track, element("span", count(n)));
    return row;
  });
  at("answers").replaceChildren(...(rows.length > 0 ? rows : [element("p", "None yet.")]));
}

function showServer(status) {
  const c = status.counters;
  list("gauges", [
    ["Connections", count(c.connections)],
    ["… of them between requests", count(c.connections_idle)],
    ["Requests under way", count(c.exchanges)],
    ["Connections to origins", count(c.origin_open)],
    ["Memory for connections", bytes(c.memory_bytes)],
    ["Workers and gates", count(status.slots)],
  ]);
  list("server", [
    ["Policy", status.policy || "–"],
    ["Generation", count(status.generation || 0)],
    ["Up for", duration(status.uptime_s || 0)],
    ["Requests", count(c.requests)],
    ["Content received", bytes(c.bytes_in)],
    ["Content sent", bytes(c.bytes_out)],
    ["Failed by an origin", count(c.origin_failures)],
    ["Log lines dropped", count(c.log_dropped)],
  ]);
}

/* Whoever looks should see at once that a site is less guarded than its policy says. */
function showPaused(paused, count) {
  const lines = paused.map((p) => "Paused: " + (p.site ? "the " + p.leg + " of " + p.site : p.leg) +
    ", for another " + duration(p.left_s) + ", until " + p.until);
  if (count > lines.length) lines.push("… and " + (count - lines.length) + " others");
  at("paused").hidden = lines.length === 0;
  at("paused").textContent = lines.join("\n");
}

/* ---- the guard ---- */

function progressOf(site) {
  const parts = [site.why];
  if (site.mode === "monitor") parts.push("it is only watched");
  if (!site.enrolled) parts.push("enrolling: " + count(site.waiting) + " pages to be fetched");
  if (!site.confirmed) parts.push("waits for the approval of its first baseline");
  if (site.origins_down > 0) parts.push(count(site.origins_down) + " origins do not answer");
  if (site.window_until) parts.push("publish window until " + site.window_until);
  return parts.filter((part) => part).join("; ");
}

function showGuard(guard) {
  at("guard").hidden = !guard;
  if (!guard) return;
  const rows = (Array.isArray(guard.sites) ? guard.sites : []).map((site) => {
    const row = element("tr");
    row.append(element("td", site.site), element("td", site.state, site.state === "sealed" ? "hot" : undefined),
      element("td", progressOf(site)), element("td", count(site.exact) + " of " + count(site.pages), "n"),
      element("td", count(site.learning), "n"), element("td", count(site.varying), "n"),
      element("td", count(site.held), site.held > 0 ? "n hot" : "n"), element("td", site.looked || "never"));
    return row;
  });
  at("guarded").tBodies[0].replaceChildren(...rows);
  at("baseline").textContent = guard.baseline > 0 ? "baseline " + guard.baseline + " of " + guard.baseline_made : "no baseline";
  at("vault-error").hidden = !guard.vault_error;
  at("vault-error").textContent = guard.vault_error ? "The vault: " + guard.vault_error : "";
}

/* ---- egress ---- */

function sentenceOf(origin) {
  if (origin.stage === "free") return origin.last_offence ? "last: " + origin.last_offence + ", " + origin.last_offence_at : "";
  return origin.offence + ", since " + origin.since + (origin.until ? ", for another " + duration(origin.left_s) : ", until released");
}

function orderButton(origin) {
  const isFree = origin.stage === "free";
  const button = element("button", isFree ? "Quarantine" : "Release");
  button.type = "button";
  button.dataset.origin = origin.origin;
  button.addEventListener("click", () => orderEgress(button, isFree ? "quarantine" : "release", origin.origin));
  return button;
}

function showEgress(egress) {
  at("egress").hidden = !egress;
  if (!egress) return;
  const rows = (Array.isArray(egress.origins) ? egress.origins : []).map((origin) => {
    const row = element("tr");
    const c = origin.counters;
    const order = element("td");
    order.append(orderButton(origin));
    row.append(element("td", origin.origin), element("td", origin.stage, origin.stage === "free" ? undefined : "hot"),
      element("td", sentenceOf(origin)), element("td", count(c.gate_requests), "n"),
      element("td", count(c.gate_refused + c.dns_refused), c.gate_refused + c.dns_refused > 0 ? "n hot" : "n"),
      element("td", count(c.kernel_listed_packets + c.kernel_packets), "n"),
      element("td", count(c.kernel_dropped), c.kernel_dropped > 0 ? "n hot" : "n"),
      element("td", count(c.gate_new + c.kernel_new), "n"), order);
    return row;
  });
  /* One that is being pressed must stay where it is, and who came to it by keyboard must not lose it. */
  const focused = document.activeElement.dataset.origin;
  if (!at("egress-origins").matches(":active")) at("egress-origins").tBodies[0].replaceChildren(...rows);
  for (const button of focused ? at("egress-origins").querySelectorAll("button") : []) {
    if (button.dataset.origin === focused) button.focus();
  }
  at("egress-mode").textContent = egress.mode + (egress.gate ? ", gate" : ", no gate") +
    (egress.kernel_active ? ", kernel leg" : ", no kernel leg");
  at("egress-open").hidden = !!egress.kernel_active;
  at("egress-open").textContent = egress.kernel_active ? "" :
    "The kernel leg is off: " + egress.kernel_why + ". That leaves open: " + egress.left_open + ".";
}

async function orderEgress(button, verb, origin) {
  button.disabled = true;
  try {
    const response = await fetch("/api/egress/" + verb, { method: "POST",
      headers: { "X-Sallyport-Order": "1", "Content-Type": "application/json" }, body: JSON.stringify({ origin }) });
    const answer = await response.json();
    noteChange(answer.ok ? answer.said : answer.errors);
  } catch {
    noteChange("The console did not answer.");
  }
}

/* ---- what changed ---- */

function noteChange(text) {
  const item = element("li");
  item.append(element("time", new Date().toLocaleTimeString("en-GB")), text);
  const changes = at("changes");
  if (!changes.dataset.any) changes.replaceChildren();
  changes.dataset.any = "1";
  changes.prepend(item);
  while (changes.childElementCount > CHANGES_MAX) changes.lastElementChild.remove();
}

function noteChanges(before, now) {
  if (before.generation !== now.generation) noteChange("Generation " + now.generation + " has taken over.");
  if (before.ready !== now.ready) noteChange(now.ready ? "Ready again." : "Not ready.");
  const known = new Map((before.processes || []).map((p) => [p.role + p.slot, p]));
  for (const p of now.processes || []) {
    const old = known.get(p.role + p.slot);
    if (old && p.restarts > old.restarts) noteChange(p.role + " " + p.slot + " was started again as process " + p.pid + ".");
  }
  const stages = new Map((before.egress && before.egress.origins || []).map((o) => [o.origin, o.stage]));
  for (const o of now.egress && now.egress.origins || []) {
    if (stages.has(o.origin) && stages.get(o.origin) !== o.stage) noteChange("Origin " + o.origin + " is " + (o.stage === "free" ? "free." : "in quarantine (" + o.stage + "): " + o.offence + "."));
  }
  const names = new Set(before.reasons.map((r) => r.name));
  for (const r of now.reasons) {
    if (!names.has(r.name)) noteChange("First: " + r.text + ".");
  }
}

function setHealth(className, text) {
  const health = at("health");
  if (health.textContent === text) return;
  health.className = "pill " + className;
  health.textContent = text;
}

function show(status) {
  status.processes = Array.isArray(status.processes) ? status.processes : [];
  if (last) noteChanges(last, status);
  last = status;
  remember(status);
  at("version").textContent = status.version;
  setHealth(status.ready ? "good" : "bad", status.ready ? "ready" : "not ready");
  showTraffic();
  showServer(status);
  showPaused(Array.isArray(status.paused) ? status.paused : [], status.paused_count || 0);
  showGuard(status.guard);
  showEgress(status.egress);
  showAnswers(status.responses);
  showReasons(status.reasons);
  showProcesses(status.processes);
}

async function poll() {
  try {
    const response = await fetch("/api/status", { cache: "no-store" });
    const status = await response.json();
    if (response.ok) show(status);
    else setHealth("bad", status.errors || "no status");
  } catch {
    setHealth("bad", "no answer");
  }
  setTimeout(poll, POLL_MS);
}

async function reload() {
  const button = at("reload");
  button.disabled = true;
  try {
    const response = await fetch("/api/reload", { method: "POST", headers: { "X-Sallyport-Order": "1" } });
    const answer = await response.json();
    at("errors").hidden = answer.ok;
    at("errors").textContent = answer.ok ? "" : answer.errors;
    noteChange(answer.ok ? "The policy was loaded." : "The policy has errors; nothing was changed.");
  } catch {
    noteChange("The console did not answer.");
  }
  button.disabled = false;
}

at("reload").addEventListener("click", reload);
poll();
