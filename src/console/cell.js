const svgNamespace = 'http://www.w3.org/2000/svg';
const sources = ['ram', 'disk', 'peer', 'origin'];
const middle = { x: 300, y: 150 };
const originPlace = { x: 45, y: 150 };
const viewersPlace = { x: 555, y: 150 };
/** Peers stand on an ellipse, above and below. */
const [radiusX, radiusY] = [190, 112];
/** More than that would lie over each other; the table has them all. */
const peersMax = 24;
const ringRadius = 30;

let last;

/** Draws this node among its peers: who gives to whom now, and what this node's bytes came from. */
export function drawCell(svg, { status, peers }) {
  const now = { at: performance.now(), bytes: status.bytes, peers: new Map(peers.map((peer) => [peer.peerId, peer])) };
  const seconds = last === undefined ? undefined : (now.at - last.at) / 1000;
  const rate = (after, before) => (seconds === undefined ? 0 : Math.max(0, after - (before ?? after)) / seconds);
  const shown = peers.slice(0, peersMax);
  const parts = [
    line(originPlace, middle, { kind: 'origin', bytesPerSecond: rate(status.bytes.origin, last?.bytes.origin) }),
    line(middle, viewersPlace, { kind: 'client', bytesPerSecond: rate(status.bytes.client, last?.bytes.client) }),
  ];
  let [given, taken] = [0, 0];
  for (const [i, peer] of shown.entries()) {
    const place = placeOf(i, shown.length);
    const before = last?.peers.get(peer.peerId);
    const from = rate(peer.bytesIn ?? 0, before?.bytesIn);
    const to = rate(peer.bytesOut ?? 0, before?.bytesOut);
    [given, taken] = [given + to, taken + from];
    parts.push(...linesOf(peer, place, { from, to }), dot(peer, place));
  }
  parts.push(label(originPlace, 'Origin', 28), label(viewersPlace, 'Viewers', 28));
  parts.push(element('circle', { cx: originPlace.x, cy: originPlace.y, r: 12, class: 'origin' }));
  parts.push(element('circle', { cx: viewersPlace.x, cy: viewersPlace.y, r: 12, class: 'client' }));
  parts.push(...ring(status.bytes), label(middle, 'this node', 52));
  svg.replaceChildren(...parts);
  const up = peers.filter(({ state }) => state === 'up').length;
  const text = `${up} of ${peers.length} peers up; from peers ${perSecond(taken)}, to peers ${perSecond(given)}`;
  svg.setAttribute('aria-label', text);
  last = now;
  return text;
}

function placeOf(index, count) {
  const above = index % 2 === 0;
  const inRow = above ? Math.ceil(count / 2) : Math.floor(count / 2);
  const share = (Math.floor(index / 2) + 1) / (inRow + 1);
  // From left to right, with room for origin and viewers at the sides.
  const angle = Math.PI * (0.12 + 0.76 * share);
  const x = middle.x - radiusX * Math.cos(angle);
  return { x, y: middle.y + (above ? -1 : 1) * radiusY * Math.sin(angle) };
}

/** One line for each direction in which something flows; a thin one where nothing does. */
function linesOf(peer, place, { from, to }) {
  if (peer.state !== 'up') return [line(place, middle, { kind: 'down', bytesPerSecond: 0 })];
  const beside = (point, by) => ({ x: point.x + by, y: point.y });
  if (from === 0 && to === 0) return [line(place, middle, { kind: 'quiet', bytesPerSecond: 0 })];
  return [
    ...(from > 0 ? [line(beside(place, -3), beside(middle, -3), { kind: 'peer', bytesPerSecond: from })] : []),
    ...(to > 0 ? [line(beside(middle, 3), beside(place, 3), { kind: 'given', bytesPerSecond: to })] : []),
  ];
}

function line(from, to, { kind, bytesPerSecond }) {
  const width = bytesPerSecond <= 0 ? 1 : 1.5 + 1.3 * Math.max(0, Math.log10(bytesPerSecond / 1e4));
  const at = { x1: from.x, y1: from.y, x2: to.x, y2: to.y };
  const drawn = element('line', { ...at, class: `flow ${kind}`, 'stroke-width': width.toFixed(1) });
  drawn.append(titled(`${kindNames[kind]}: ${perSecond(bytesPerSecond)}`));
  return drawn;
}

const kindNames = {
  origin: 'from the origin',
  client: 'to viewers',
  peer: 'this peer gives',
  given: 'this peer takes',
  quiet: 'linked',
  down: 'not linked',
};

function dot(peer, { x, y }) {
  const group = element('g', {});
  const shape = element('circle', { cx: x, cy: y, r: 9, class: `node ${peer.state}` });
  const about = `${peer.peerId}: ${peer.state}${peer.state === 'up' || !peer.reason ? '' : `, ${peer.reason}`}`;
  shape.append(titled(about));
  group.append(shape, label({ x, y }, peer.peerId.slice(-6), y < middle.y ? -14 : 22));
  return group;
}

/** What this node's viewers got came from: a ring of its shares. */
function ring(bytes) {
  const sum = sources.reduce((total, source) => total + bytes[source], 0);
  const around = 2 * Math.PI * ringRadius;
  const disc = element('circle', { cx: middle.x, cy: middle.y, r: ringRadius + 6, class: 'self' });
  let start = 0;
  const arcs = sources.map((source) => {
    const share = sum === 0 ? 0 : bytes[source] / sum;
    const dashes = `${(share * around).toFixed(2)} ${around.toFixed(2)}`;
    const turn = `rotate(${(360 * start - 90).toFixed(2)} ${middle.x} ${middle.y})`;
    start += share;
    const at = { cx: middle.x, cy: middle.y, r: ringRadius, class: `ring ${source}` };
    const arc = element('circle', { ...at, 'stroke-dasharray': dashes, transform: turn });
    arc.append(titled(`${source}: ${(100 * share).toFixed(1)}%`));
    return arc;
  });
  return [disc, ...arcs];
}

function label({ x, y }, text, below) {
  const made = element('text', { x, y: y + below, 'text-anchor': 'middle' });
  made.textContent = text;
  return made;
}

function titled(text) {
  const made = element('title', {});
  made.textContent = text;
  return made;
}

function element(name, attributes) {
  const made = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function perSecond(bytesPerSecond) {
  return bytesPerSecond >= 1e6
    ? `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
    : `${(bytesPerSecond / 1e3).toFixed(0)} KB/s`;
}
