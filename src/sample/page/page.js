import { openPlayer, playerFor } from './players.js';

const streams = [
  { id: 'hls-ts', name: 'HLS · MPEG-TS', url: '/vod/hls-ts/index.m3u8' },
  { id: 'hls-fmp4', name: 'HLS · fMP4', url: '/vod/cmaf/index.m3u8' },
  { id: 'hls-byte-range', name: 'HLS · byte range', url: '/vod/single/index.m3u8' },
  { id: 'dash-template', name: 'DASH · template', url: '/vod/cmaf/index.mpd' },
  { id: 'dash-single', name: 'DASH · single file', url: '/vod/single/index.mpd' },
  { id: 'live', name: 'Live', url: '/live/index.m3u8', live: true },
];
const sources = ['ram', 'disk', 'peer', 'origin'];
const rowsMax = 200;
const statusEveryMs = 1_000;

const $ = (id) => document.getElementById(id);
const hits = { ram: 0, disk: 0, peer: 0, origin: 0 };
let seen = 0;
let turn = 0;
let closePlayer = () => {};

for (const stream of streams) {
  const button = element('button', stream.name, stream.live ? 'live' : '');
  button.type = 'button';
  button.id = `play-${stream.id}`;
  button.addEventListener('click', () => {
    history.replaceState(null, '', `#${stream.id}`);
    play();
  });
  $('streams').append(button);
}
addEventListener('hashchange', () => play());
showHits({});
play();
followStatus();

/** Plays what the address names, from the beginning. */
async function play() {
  const stream = streams.find(({ id }) => id === location.hash.slice(1)) ?? streams[0];
  const player = playerFor(stream.url);
  for (const { id } of streams) $(`play-${id}`).setAttribute('aria-pressed', String(id === stream.id));
  $('playing').textContent = `${stream.url} with ${player}`;
  $('problem').hidden = true;
  closePlayer();
  closePlayer = () => {};
  const mine = ++turn;
  try {
    const close = await openPlayer(player, { url: stream.url, video: $('video'), onResponse: showResponse, onProblem });
    // Another choice may have been made while the player was loading.
    if (mine === turn) closePlayer = close;
    else close();
  } catch (error) {
    onProblem(error.message);
  }
}

function onProblem(text) {
  $('problem').textContent = text;
  $('problem').hidden = false;
}

/** One row for each media response: `{url, range, bytes, ms, cacheStatus}`. */
function showResponse(response) {
  const source = sourceOf(response.cacheStatus);
  if (source in hits) hits[source]++;
  seen++;
  const row = element('tr');
  row.append(
    element('td', new Date().toLocaleTimeString([], { hour12: false })),
    element('td', new URL(response.url, location.href).pathname),
    element('td', response.range ?? ''),
    element('td', bytesText(response.bytes)),
    element('td', `${Math.round(response.ms)} ms`),
    cellOf(element('span', source ?? '?', `from ${source ?? ''}`)),
    element('td', response.cacheStatus ?? 'none: not through a node', response.cacheStatus ? '' : 'none'),
  );
  $('requests').prepend(row);
  while ($('requests').rows.length > rowsMax) $('requests').deleteRow(-1);
  $('counted').textContent = `· ${seen} responses`;
}

/** Where the nearest Eddy had it from (RFC 9211): the last member of the field is the nearest cache. */
function sourceOf(cacheStatus) {
  const nearest = cacheStatus?.split(',').at(-1) ?? '';
  return /;\s*detail="?(ram|disk|peer|origin)"?/.exec(nearest)?.[1];
}

async function followStatus() {
  for (;;) {
    try {
      const response = await fetch('/sample/status.json', { cache: 'no-store', signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      showStatus(await response.json());
    } catch {
      $('node').textContent = 'the node does not answer';
      $('node').className = 'node away';
    }
    await new Promise((resolve) => setTimeout(resolve, statusEveryMs));
  }
}

function showStatus(status) {
  const { bytes = {}, tiers = {}, offload } = status ?? {};
  $('node').textContent = [`Eddy ${status?.version ?? ''}`, upFor(status?.uptimeSeconds)].filter(Boolean).join(' · ');
  $('node').className = status?.ready === false ? 'node away' : 'node ready';
  $('offload').textContent = Number.isFinite(offload) ? `${(offload * 100).toFixed(1)}%` : '–';
  $('share').replaceChildren(
    ...sources.map((source) => {
      const part = element('i', '', source);
      part.style.flex = `${bytes[source] ?? 0} 0 0`;
      part.title = `${source}: ${bytesText(bytes[source])}`;
      return part;
    }),
  );
  showHits(bytes);
  $('stores').replaceChildren(...['ram', 'disk'].map((name) => storeLine(name, tiers[name] ?? {})));
}

function showHits(bytes) {
  $('tiers').replaceChildren(
    ...sources.map((source) => {
      const row = element('tr');
      row.append(
        cellOf(element('span', source, `from ${source}`)),
        element('td', String(hits[source])),
        element('td', bytesText(bytes[source])),
      );
      return row;
    }),
  );
}

function storeLine(name, { bytes = 0, bytesMax = 0, pieces = 0 }) {
  const line = element('div', '', name);
  const meter = element('meter');
  meter.max = Math.max(1, bytesMax);
  meter.value = bytes;
  line.append(
    element('span', `${name}, ${pieces} pieces`, `from ${name}`),
    element('small', bytesMax > 0 ? `${bytesText(bytes)} of ${bytesText(bytesMax)}` : 'off'),
    meter,
  );
  return line;
}

function bytesText(count) {
  if (!Number.isFinite(count)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function upFor(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 120) return `up ${Math.round(seconds)} s`;
  return seconds < 7_200 ? `up ${Math.round(seconds / 60)} min` : `up ${Math.round(seconds / 3_600)} h`;
}

function cellOf(child) {
  const cell = element('td');
  cell.append(child);
  return cell;
}

function element(name, text = '', className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}
