import { drawCell } from './cell.js';
import { drawChannels } from './channels.js';

const pollMs = 1_000;
const tablesEvery = 2;
const historyMax = 120;
const requestTimeoutMs = 5_000;
const sources = ['ram', 'disk', 'peer', 'origin'];
const sourceNames = { ram: 'RAM', disk: 'Disk', peer: 'Peers', origin: 'Origin' };

const $ = (id) => document.getElementById(id);
/** One sample for each poll: bytes a second to viewers and from the origin. */
const history = [];
let last;

void poll(0);

async function poll(round) {
  try {
    const status = await getJson('/api/status');
    showStatus(status);
    if (round % tablesEvery === 0) await showTables(status);
  } catch (error) {
    showState(error.status === 401 ? 'token needed' : 'unreachable', false);
    if (error.status === 401) $('token-form').hidden = false;
  }
  setTimeout(() => void poll(round + 1), document.hidden ? 5 * pollMs : pollMs);
}

function showStatus(status) {
  const { version, peerId, cell, uptimeSeconds, ready, bytes, offload, tiers, requests, upstreams = [] } = status;
  $('token-form').hidden = true;
  $('about').textContent = [`version ${version}`, cell && `cell ${cell}`, peerId && `peer ${peerId}`]
    .filter(Boolean)
    .join(' · ');
  showState(ready ? 'ready' : 'not ready', ready);
  $('offload').textContent = bytes.client > 0 ? percent(offload) : '–';
  if (requests !== undefined) {
    $('hit-ratio').textContent = requests.total > 0 ? percent(requests.hits / requests.total) : '–';
    $('requests').textContent = `${requests.total.toLocaleString()} requests`;
    $('in-flight').textContent = requests.inFlight.toLocaleString();
  }
  $('served').textContent = size(bytes.client);
  $('uptime').textContent = `up ${duration(uptimeSeconds)}`;
  showSources(bytes);
  showTiers(tiers);
  showRates(bytes);
  fillTable('upstreams', upstreams, ({ map, url, state, lastError }) => [
    map,
    url,
    pill(state, state),
    lastError ?? '',
  ]);
}

function showState(text, good) {
  $('state').textContent = text;
  $('state').className = `pill ${good ? 'up' : 'down'}`;
}

function showSources(bytes) {
  const sum = sources.reduce((total, source) => total + bytes[source], 0);
  const share = (source) => (sum === 0 ? 0 : bytes[source] / sum);
  $('sources-bar').replaceChildren(
    ...sources.map((source) => {
      const part = element('span', '', source);
      part.style.width = `${100 * share(source)}%`;
      return part;
    }),
  );
  $('sources').replaceChildren(
    ...sources.map((source) => {
      const row = element('div');
      const value = `${size(bytes[source])} (${percent(share(source))})`;
      row.append(element('span', '', `key ${source}`), element('dt', sourceNames[source]), element('dd', value));
      return row;
    }),
  );
}

function showTiers(tiers) {
  $('tiers').replaceChildren(
    ...Object.entries(tiers).map(([name, { bytes, bytesMax, pieces }]) => {
      const box = element('div');
      const line = element('p');
      const used = bytesMax === 0 ? 'off' : `${size(bytes)} of ${size(bytesMax)}, ${pieces.toLocaleString()} pieces`;
      line.append(element('strong', sourceNames[name] ?? name), element('span', used));
      const bar = element('div', '', 'bar');
      const fill = element('span', '', name);
      fill.style.width = `${bytesMax === 0 ? 0 : Math.min(100, (100 * bytes) / bytesMax)}%`;
      bar.append(fill);
      box.append(line, bar);
      return box;
    }),
  );
}

function showRates(bytes) {
  const now = performance.now();
  if (last !== undefined) {
    const seconds = (now - last.at) / 1000;
    const rate = (name) => Math.max(0, bytes[name] - last.bytes[name]) / seconds;
    history.push({ client: rate('client'), origin: rate('origin') });
    if (history.length > historyMax) history.shift();
    $('rate').textContent = `${size(rate('client'))}/s now`;
  }
  last = { at: now, bytes };
  const most = Math.max(1, ...history.flatMap(({ client, origin }) => [client, origin]));
  const points = (name) =>
    history.map((sample, i) => {
      const x = 600 - ((history.length - 1 - i) * 600) / (historyMax - 1);
      return `${x.toFixed(1)},${(118 - (sample[name] / most) * 114).toFixed(1)}`;
    });
  if (history.length < 2) return;
  const client = points('client');
  const left = client[0].split(',')[0];
  $('chart-client').setAttribute('d', `M${left},120 L${client.join(' L')} L600,120 Z`);
  $('chart-origin').setAttribute('d', `M${points('origin').join(' L')}`);
  $('chart-max').textContent = ` · top ${size(most)}/s`;
}

async function showTables(status) {
  const [{ peers }, { streams }] = await Promise.all([getJson('/api/peers'), getJson('/api/streams')]);
  $('cell-card').hidden = !status.cell;
  if (status.cell) $('cell-text').textContent = drawCell($('cell'), { status, peers });
  $('channels-card').hidden = !drawChannels($('channels'), streams);
  fillTable('peers', peers, (peer) => [
    peer.peerId,
    pill(peer.state, peer.connection === 'relayed' ? `${peer.state}, relayed` : peer.state),
    number(typeof peer.rttMs === 'number' ? `${peer.rttMs.toFixed(1)} ms` : '–'),
    number(size(peer.bytesIn ?? 0)),
    number(size(peer.bytesOut ?? 0)),
    number(percent(peer.hitShare ?? 0)),
  ]);
  fillTable('streams', streams, (stream) => [
    stream.url,
    stream.kind,
    number(String(stream.viewers ?? 0)),
    number(typeof stream.edgeLagMs !== 'number' ? '–' : `${Math.round(stream.edgeLagMs)} ms`),
    number(String(stream.mediaSequence ?? '–')),
  ]);
}

/** Rows of text or cells; one that says so when there are none. */
function fillTable(id, rows, cellsOf) {
  const body = $(id).tBodies[0];
  if (rows.length === 0) {
    const cell = element('td', 'none', 'quiet');
    cell.colSpan = $(id).tHead.rows[0].cells.length;
    body.replaceChildren(element('tr'));
    body.rows[0].append(cell);
    return;
  }
  body.replaceChildren(
    ...rows.map((row) => {
      const line = element('tr');
      line.append(...cellsOf(row).map((cell) => (cell instanceof Node ? cell : element('td', cell))));
      return line;
    }),
  );
}

function pill(state, text) {
  const cell = element('td');
  cell.append(element('span', text, state === 'up' ? 'up' : 'down'));
  return cell;
}

function number(text) {
  return element('td', text, 'number');
}

function element(name, text = '', className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== '') made.className = className;
  return made;
}

$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('eddy-token', $('token').value);
  $('token').value = '';
});

$('purge-kind').addEventListener('change', () => {
  const all = $('purge-kind').value === 'all';
  $('purge-value').hidden = all;
  $('purge-value').required = !all;
});

$('purge-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const kind = $('purge-kind').value;
  if (kind === 'all' && !confirm('Drop everything that is stored?')) return;
  const which = kind === 'all' ? { all: true } : { [kind]: $('purge-value').value.trim() };
  const result = $('purge-result');
  result.textContent = 'purging…';
  try {
    const body = JSON.stringify(which);
    const { purged } = await getJson('/api/purge', { method: 'POST', body, timeoutMs: 70_000 });
    result.textContent = purged === 1 ? '1 stored response dropped' : `${purged} stored responses dropped`;
  } catch (error) {
    result.textContent = error.message;
  }
});

async function getJson(path, { method = 'GET', body, timeoutMs = requestTimeoutMs } = {}) {
  const token = sessionStorage.getItem('eddy-token');
  const headers = {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(body && { 'Content-Type': 'application/json' }),
  };
  const response = await fetch(path, { method, body, headers, signal: AbortSignal.timeout(timeoutMs) });
  const answer = await response.json();
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error ?? `status ${response.status}`), { status: response.status });
}

function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

function duration(seconds) {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  const shown = parts.slice(first < 0 ? 3 : first).slice(0, 2);
  return shown.map(([value, unit]) => `${value}${unit}`).join(' ');
}
