import { ChannelHistory, pointsOf, savedIn } from './channel-history.js';

const svgNamespace = 'http://www.w3.org/2000/svg';
const [width, height] = [600, 90];
const history = new ChannelHistory();

/** Draws a graph for each live channel: how far it is behind its edge, and its viewers. Whether there is any. */
export function drawChannels(box, streams) {
  history.add(streams, Date.now());
  const { channels } = history;
  box.replaceChildren(...channels.map(figureOf));
  return channels.length > 0;
}

function figureOf(channel) {
  const { url, kind, role, samples } = channel;
  const figure = element('figure', 'channel');
  const title = element('figcaption');
  const name = element('strong');
  name.textContent = url;
  const about = element('span', 'quiet');
  about.textContent = ` ${kind}${role === 'member' ? ', told by its owner in the cell' : ''}`;
  title.append(name, about);
  const text = element('p', 'legend-line');
  text.append(key('lag'), ` ${lagText(samples)} `, key('client'), ` ${viewersText(samples)} · ${restText(samples)}`);
  figure.append(title, chartOf(channel), text);
  return figure;
}

function chartOf({ url, samples }) {
  const svg = drawn('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img' });
  svg.setAttribute('aria-label', `${url}: ${lagText(samples)}, ${viewersText(samples)}`);
  const viewers = pointsOf(samples, 'viewers', { width, height });
  const lag = pointsOf(samples, 'edgeLagMs', { width, height });
  if (viewers.points.length > 1) {
    const left = viewers.points[0].split(',')[0];
    const d = `M${left},${height} L${viewers.points.join(' L')} L${width},${height} Z`;
    svg.append(drawn('path', { class: 'viewers', d }));
  }
  if (lag.points.length > 1) svg.append(drawn('path', { class: 'lag', d: `M${lag.points.join(' L')}` }));
  return svg;
}

function lagText(samples) {
  const known = samples.map(({ edgeLagMs }) => edgeLagMs).filter((each) => typeof each === 'number');
  const now = samples.at(-1).edgeLagMs;
  if (typeof now !== 'number') return 'has no clock of its own';
  return `${seconds(now)} behind the edge (${seconds(Math.min(...known))} to ${seconds(Math.max(...known))})`;
}

function viewersText(samples) {
  const most = Math.max(...samples.map(({ viewers }) => viewers));
  return `${samples.at(-1).viewers.toLocaleString()} viewers (${most.toLocaleString()} at most)`;
}

function restText(samples) {
  const { windowSeconds } = samples.at(-1);
  const minutes = (samples.at(-1).atMs - samples[0].atMs) / 60_000;
  const { asked, saved } = savedIn(samples);
  const window = typeof windowSeconds === 'number' ? `window ${seconds(1000 * windowSeconds)} · ` : '';
  if (asked === 0) return `${window}no requests lately`;
  const share = `${((100 * saved) / asked).toFixed(1)}%`;
  return `${window}${saved.toLocaleString()} of ${asked.toLocaleString()} requests (${share}) not sent upstream in ${minutes.toFixed(1)} min`;
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function key(kind) {
  return element('span', `key ${kind}`);
}

function element(name, className = '') {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS(svgNamespace, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  return made;
}
