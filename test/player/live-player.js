import { delay, library, watchPlayback } from './player.js';

const libraries = {
  'hls.js': '/libraries/hls.min.js',
  'dash.js': '/libraries/dash.all.min.js',
  shaka: '/libraries/shaka-player.compiled.js',
};

/** Has everything that a player is made of, so that `playLive` asks for the stream at once. */
globalThis.prepareLive = (player) => library(libraries[player]);

/**
 * Plays a live `url` for `playMs` after it began, at the latency the player aims at, and resolves to what was seen. Until
 * `settleMs` have passed it may seek to its place; after that come the stalls that are reported, and five times a second
 * how far behind the real time the picture and the end of the buffer were, in milliseconds.
 */
globalThis.playLive = async ({ player, url, playMs, settleMs, startMsMax }) => {
  const video = document.getElementById('video');
  const seen = { errors: [], warnings: [], latencyMs: [], bufferLagMs: [], responses: 0 };
  const onError = (what) => seen.errors.push(String(what));
  const onWarning = (what) => seen.warnings.length < 50 && seen.warnings.push(String(what));
  const onResponse = () => seen.responses++;
  video.addEventListener('error', () => onError(`video: ${video.error?.message}`));
  const { playedMs, close } = await openers[player]({ url, video, onError, onWarning, onResponse });
  const watch = watchPlayback(video, 0.5);
  await watch.started(startMsMax, () => seen.errors.length > 0);
  const endMs = performance.now() + playMs;
  await delay(settleMs);
  const early = watch.stalls.length;
  while (performance.now() < endMs && seen.errors.length === 0) {
    await delay(200);
    const dateMs = playedMs();
    if (dateMs === undefined) continue;
    const latencyMs = Date.now() - dateMs;
    seen.latencyMs.push(Math.round(latencyMs));
    seen.bufferLagMs.push(Math.round(latencyMs - aheadSeconds(video) * 1000));
  }
  const before = video.currentTime;
  await delay(1_000);
  const playsAtEnd = seen.errors.length === 0 && video.currentTime > before + 0.3;
  const report = { ...seen, ...watch.report(), stalls: watch.stalls.slice(early), playsAtEnd };
  await close();
  return report;
};

function aheadSeconds(video) {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i++)
    if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
  return 0;
}

/** Each resolves to `playedMs`, the date of the picture that is shown in epoch milliseconds, and `close`. */
const openers = { 'hls.js': openHls, 'dash.js': openDash, shaka: openShaka };

async function openHls({ url, video, onError, onWarning, onResponse }) {
  const { Hls } = globalThis;
  const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.3 });
  hls.on(Hls.Events.ERROR, (_, { fatal, details, reason, response }) => {
    const what = `hls.js: ${details} ${reason ?? ''} ${response?.code ?? ''} ${response?.url ?? ''}`;
    if (fatal) onError(what);
    else onWarning(what);
  });
  hls.on(Hls.Events.FRAG_LOADED, onResponse);
  hls.on(Hls.Events.MANIFEST_PARSED, () => video.play().catch(onError));
  hls.loadSource(url);
  hls.attachMedia(video);
  return { playedMs: () => hls.playingDate?.getTime(), close: () => hls.destroy() };
}

async function openDash({ url, video, onError, onWarning, onResponse }) {
  const { dashjs } = globalThis;
  const player = dashjs.MediaPlayer().create();
  player.initialize();
  player.updateSettings({ streaming: { liveCatchup: { enabled: true } } });
  let beganMs;
  const { ERROR, MANIFEST_LOADED, FRAGMENT_LOADING_COMPLETED } = dashjs.MediaPlayer.events;
  player.on(MANIFEST_LOADED, ({ data }) => {
    beganMs = new Date(data.availabilityStartTime).getTime();
  });
  player.on(FRAGMENT_LOADING_COMPLETED, ({ error, request }) => {
    if (error) onWarning(`dash.js: ${error.message} ${request?.url}`);
    else onResponse();
  });
  player.on(ERROR, ({ error }) => onError(`dash.js: ${error?.message ?? error}`));
  player.attachView(video);
  player.setAutoPlay(true);
  player.attachSource(url);
  return {
    playedMs: () => (beganMs === undefined ? undefined : beganMs + video.currentTime * 1000),
    close: () => player.destroy(),
  };
}

async function openShaka({ url, video, onError, onWarning, onResponse }) {
  const { shaka } = globalThis;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  const isLow = /\/ll|low-latency/.test(url);
  player.configure({
    abr: { enabled: false },
    // By default 5.2.12 forgets all segments of a channel that paused for some seconds, and stands still for good.
    manifest: { availabilityWindowOverride: 60 },
    streaming: { lowLatencyMode: isLow, liveSync: { enabled: true } },
  });
  player.addEventListener('error', ({ detail }) => {
    const what = `shaka: ${detail.code} ${detail.message ?? ''} ${JSON.stringify(detail.data ?? []).slice(0, 300)}`;
    if (detail.severity === shaka.util.Error.Severity.CRITICAL) onError(what);
    else onWarning(what);
  });
  player.getNetworkingEngine().registerResponseFilter((type) => {
    if (type === shaka.net.NetworkingEngine.RequestType.SEGMENT) onResponse();
  });
  try {
    await player.attach(video);
    await player.load(url);
    video.play().catch(onError);
  } catch (error) {
    onError(`shaka: ${error.code} ${error.message ?? ''}`);
  }
  return { playedMs: () => player.getPlayheadTimeAsDate()?.getTime(), close: () => player.destroy() };
}
